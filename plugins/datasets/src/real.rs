use framework_sdk::{Kind, test};
#[test]
fn real_files() {
    let d = "/work/shared/data/";
    for (plugin, file, options) in [
        ("magazine-json", "magazine.json", ""),
        ("magazine-json", "magazine.json", "volumes"),
        ("instruction-json", "huanhuan.json", ""),
        ("poetry-corpus", "tang_poems.json", ""),
        ("qa-xlsx", "QA_pair.xlsx", ""),
        ("instruction-csv", "instructions.csv", ""),
        ("jsonl", "tang_poems.json", ""),
    ] {
        let mut o = framework_sdk::serde_json::json!({"path": format!("{d}{file}")});
        if options == "volumes" {
            o["volumes"] = "1-10".into();
        }
        let begun = std::time::Instant::now();
        let r: Result<Vec<_>, _> =
            test::declaration(Kind::Dataset, plugin).build.dataset(plugin, &o).unwrap().open().unwrap().collect();
        match r {
            Ok(r) => println!(
                "REAL {plugin} {file} {options}: {} rows, fields {:?}, {:?}",
                r.len(),
                r[0].keys().collect::<Vec<_>>(),
                begun.elapsed()
            ),
            Err(e) => println!("REAL {plugin} {file}: ERROR {}", e.message.chars().take(200).collect::<String>()),
        }
    }
    let d = "/work/h/data/recipes/data/";
    for (plugin, file) in [
        ("magazine-json", "magazine_sample.json"),
        ("jsonl", "magazine_qa_sample.json"),
        ("instruction-json", "teahouse.json"),
        ("poetry-corpus", "poems_sample.json"),
        ("qa-xlsx", "qa_sample.xlsx"),
    ] {
        let r = test::dataset(plugin, &format!("path = \"{d}{file}\"")).unwrap();
        println!("REAL {file} {}", r.len());
    }
}
