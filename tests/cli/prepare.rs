//! What would be trained, as a file.

use crate::setting::{FACTS, Setting, question, rows};
use serde_json::json;

const AUGMENTED: (&str, &str) =
    ("[prompt]", "[[augment]]\nplugin = \"filter\"\nfield = \"instruction\"\ndrop = \"flamingo\"\n\n[prompt]");

#[test]
fn records_come_after_the_augmenters_with_their_split() {
    let setting = Setting::with(&[AUGMENTED]);
    let args = ["prepare", "recipe.toml", "--to", "out.jsonl", "--set", "validation.fraction=0.2"];
    let said = setting.run(args).succeeded();
    assert_eq!(said.out, "");
    for part in ["instruction-csv: 10 rows read, 2 held back", "filter: ", "wrote out.jsonl: 9 rows"] {
        assert!(said.err.contains(part), "no {part} in\n{}", said.err);
    }
    let rows = rows(&setting.read("out.jsonl"));
    let count = |split: &str| rows.iter().filter(|row| row["split"] == split).count();
    assert_eq!((rows.len(), count("train") + count("validation")), (9, 9));
    assert!(count("validation") > 0 && rows.iter().all(|row| row["instruction"] != question("a flamingo").as_str()));
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["instruction", "input", "output", "split"]);
    assert_eq!(setting.files("."), ["data.csv", "out.jsonl", "recipe.toml"]);

    let report = setting.run([&args[..], &["--format", "json"]].concat()).json();
    let (train, validation) = (&report["data"]["train"], &report["data"]["validation"]);
    assert_eq!(report["rows"], 9);
    assert_eq!((&train["records"], &validation["records"]), (&json!(8), &json!(2)));
    let stages = [&train["stages"][0], &validation["stages"][0]];
    assert!(stages.iter().all(|stage| stage["name"] == "filter"), "{report}");
    let sum = |key: &str| stages.iter().map(|stage| stage[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("records_in"), sum("records_out")), (10, 9));
}

/// `deduplicate` itself, on rows that are there twice, and once more in other letters.
#[test]
fn no_row_is_both_trained_and_evaluated() {
    for (near, kept) in [("", 80), ("near = { similarity = 0.8 }\n", 40)] {
        let stages = format!("[[augment]]\nplugin = \"deduplicate\"\n{near}\n[validation]\nfraction = 0.3\n\n[prompt]");
        let setting =
            Setting::with(&[("[prompt]", &stages), ("path = \"data.csv\"", "path = \"data.csv\"\nweight = 2.0")]);
        let row = |i: usize| {
            let asked = format!("Which number follows {i} if they are counted one after the other?");
            let once = format!("\"{asked}\",,{}\n", i + 1);
            once.repeat(2) + &once.replace("Which", "which").replace('?', "!")
        };
        setting.write("data.csv", &format!("instruction,input,output\n{}", (0..40).map(row).collect::<String>()));
        setting.run(["prepare", "recipe.toml", "--to", "out.jsonl"]).succeeded();
        let rows = rows(&setting.read("out.jsonl"));
        let of = |split: &str| -> std::collections::BTreeSet<String> {
            let text = |row: &serde_json::Value| row["instruction"].as_str().unwrap().to_owned();
            let bare = |text: String| text.to_lowercase().replace(['?', '!'], "");
            let texts = rows.iter().filter(|row| row["split"] == split).map(text);
            if near.is_empty() { texts.collect() } else { texts.map(bare).collect() }
        };
        let (train, validation) = (of("train"), of("validation"));
        assert!(train.is_disjoint(&validation), "{near}: {:?}", train.intersection(&validation).next());
        assert_eq!(train.len() + validation.len(), kept, "{near}");
        assert!(validation.len() * 6 > kept, "{near}: {} of {kept}", validation.len());
    }
}

#[test]
fn rows_that_are_skipped_are_counted_with_their_reason() {
    let setting = Setting::new();
    let data = setting.read("data.csv");
    setting.write("data.csv", &format!("{data}one field\ntwo fields\nWhat is empty?,,\n"));
    let skipping = ["--set", "dataset.0.on_error='skip'", "--set", "dataset.0.skip_empty=true"];
    for command in ["check", "prepare"] {
        let mut args = vec![command, "recipe.toml"];
        args.extend(skipping);
        args.extend((command == "prepare").then_some(["--to", "out.jsonl"]).into_iter().flatten());
        let said = setting.run(args).succeeded();
        let all = setting.redact(&format!("{}{}", said.out, said.err));
        let first = FACTS.len() + 2;
        for part in [
            format!("2 rows skipped: the row has 1 fields, but the header has 3 (first: data.csv:{first})"),
            format!("1 row skipped: the output is empty (first: data.csv:{})", first + 2),
        ] {
            assert!(all.contains(&part), "{command}: no {part} in\n{all}");
        }
    }
    let said = setting.run([&["train", "recipe.toml"][..], &skipping].concat()).succeeded();
    assert!(said.err.contains("instruction-csv: 2 rows skipped: "), "{}", said.err);
    // Rows behind the limit are not met.
    let limit = format!("dataset.0.limit={}", FACTS.len());
    let args = [&["check", "recipe.toml", "--set", &limit][..], &skipping].concat();
    assert!(!setting.run(args).succeeded().out.contains("skipped"));
}

#[test]
fn the_same_bytes_every_time_in_every_format() {
    let setting = Setting::with(&[AUGMENTED]);
    for form in ["records", "text", "tokens"] {
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"] {
            setting.run(["prepare", "recipe.toml", "--to", name, "--as", form]).succeeded();
            let first = setting.bytes(name);
            setting.run(["prepare", "recipe.toml", "--to", name, "--as", form]).succeeded();
            assert!(first == setting.bytes(name) && !first.is_empty(), "{name} as {form}");
        }
    }
}

/// What another recipe trains on that reads the file.
fn tokens_from(setting: &Setting, plugin: &str, file: &str, template: &str) -> String {
    let dataset = "plugin = \"instruction-csv\"\npath = \"data.csv\"";
    let recipe = setting.read("recipe.toml").replace(dataset, &format!("plugin = \"{plugin}\"\npath = \"{file}\""));
    assert!(recipe.contains(file));
    setting.write("again.toml", &recipe.replace("\"plain\"", template));
    setting.run(["prepare", "again.toml", "--to", "again.jsonl", "--as", "tokens"]).succeeded();
    setting.read("again.jsonl")
}

#[test]
fn what_is_written_is_a_dataset_that_trains_the_same() {
    let setting = Setting::new();
    setting.run(["prepare", "recipe.toml", "--to", "tokens.jsonl", "--as", "tokens"]).succeeded();
    let expected = setting.read("tokens.jsonl");
    let rows = rows(&expected);
    assert_eq!(rows.len(), FACTS.len());
    for row in &rows {
        let numbers = |key: &str| row[key].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect::<Vec<_>>();
        let (ids, labels) = (numbers("input_ids"), numbers("labels"));
        let prompt = labels.iter().take_while(|label| **label == -100).count();
        assert!(0 < prompt && prompt < ids.len() && ids.len() == labels.len(), "{row}");
        assert_eq!(ids[prompt..], labels[prompt..]);
    }
    for (form, template) in [("records", "\"plain\""), ("text", "\"{{ prompt }}{{ response }}\"")] {
        for (plugin, file) in
            [("jsonl", "b.jsonl"), ("jsonl", "b.jsonl.gz"), ("jsonl", "b.jsonl.zst"), ("parquet", "b.parquet")]
        {
            setting.run(["prepare", "recipe.toml", "--to", file, "--as", form]).succeeded();
            assert_eq!(tokens_from(&setting, plugin, file, template), expected, "{file} as {form}");
        }
    }
}

/// Messages and tools whose keys differ are JSON text in a column of Parquet.
#[test]
fn conversations_come_back_as_they_were() {
    let setting = Setting::new();
    let call = json!([{"type": "function", "function": {"name": "colour", "arguments": {"of": "sky", "n": 2}}}]);
    let tools = json!([{"name": "colour", "description": "Looks."}, {"name": "hue", "parameters": {"type": "object"}}]);
    let rows = [
        json!({"tools": tools, "messages": [
            {"role": "user", "content": "Sky?"}, {"role": "assistant", "content": null, "tool_calls": call},
            {"role": "tool", "content": "blue"}, {"role": "assistant", "content": "Blue.", "weight": 0},
            {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "Yes."},
        ]}),
        json!({"messages": [{"role": "user", "content": "Coal?"}, {"role": "assistant", "content": "black"}]}),
    ];
    setting.write("rows.jsonl", &rows.map(|row| format!("{row}\n")).concat());
    let with = |plugin: &str, file: &str| {
        let dataset = "plugin = \"instruction-csv\"\npath = \"data.csv\"";
        let recipe = setting.read("recipe.toml").replace("\"plain\"", "\"chatml\"");
        setting.write("talk.toml", &recipe.replace(dataset, &format!("plugin = \"{plugin}\"\npath = \"{file}\"")));
    };
    let text = |plugin: &str, file: &str| {
        with(plugin, file);
        setting.run(["prepare", "talk.toml", "--to", "text.jsonl", "--as", "text"]).succeeded();
        setting.read("text.jsonl")
    };
    let expected = text("jsonl", "rows.jsonl");
    assert!(expected.contains("colour") && expected.contains("black"), "{expected}");
    for file in ["b.jsonl", "b.parquet"] {
        with("jsonl", "rows.jsonl");
        setting.run(["prepare", "talk.toml", "--to", file]).succeeded();
        assert_eq!(text(if file.ends_with("parquet") { "parquet" } else { "jsonl" }, file), expected, "{file}");
    }
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_read() {
    let setting = Setting::new();
    let refused = |to: &str| setting.redact(&setting.run(["prepare", "recipe.toml", "--to", to]).failed(2));
    insta::assert_snapshot!(refused("out.csv"), @r"
error: `--to`: out.csv does not say how to write it
    Give the file's name one of the endings .jsonl, .jsonl.gz, .jsonl.zst and .parquet.
");
    insta::assert_snapshot!(refused("no/out.jsonl"), @r"
error: `--to`: there is no folder no
    Make it, or name another.
");
    std::fs::create_dir(setting.path("a.jsonl")).unwrap();
    assert!(refused("a.jsonl").contains("a.jsonl is a folder"));
    setting.write("rows.jsonl", "{\"instruction\": \"a\", \"output\": \"b\", \"split\": \"test\"}\n");
    let recipe = setting.read("recipe.toml").replace("instruction-csv", "jsonl").replace("data.csv", "rows.jsonl");
    setting.write("recipe.toml", &recipe);
    assert!(refused("./rows.jsonl").contains("the recipe reads rows.jsonl"));
    assert!(refused("b.jsonl").contains("training example 1: the record has a field `split` of its own, \"test\""));
    assert!(!setting.path("b.jsonl").exists());
    assert_eq!(setting.files("."), ["data.csv", "recipe.toml", "rows.jsonl"]);
}

#[test]
fn a_wrong_row_far_down_leaves_no_file() {
    let setting = Setting::new();
    let rows: String = (0..5000).map(|i| format!("question {i},,answer\n")).collect();
    setting.write("data.csv", &format!("instruction,input,output\n{rows}only one field\n"));
    for fraction in ["0.0", "0.1"] {
        let fraction = format!("validation.fraction={fraction}");
        let err = setting.run(["prepare", "recipe.toml", "--to", "out.parquet", "--set", &fraction]).failed(2);
        assert!(err.contains("`dataset.0`") && err.contains("data.csv:5002: the row has 1 fields"), "{err}");
        assert_eq!(setting.files("."), ["data.csv", "recipe.toml"]);
    }
    let skip = setting.read("recipe.toml").replace("path = \"data.csv\"", "path = \"data.csv\"\non_error = \"skip\"");
    setting.write("recipe.toml", &skip);
    let said = setting.run(["prepare", "recipe.toml", "--to", "out.parquet", "--set", "validation.fraction=0.1"]);
    let said = said.succeeded();
    assert_eq!(said.err.matches("1 row skipped: ").count(), 1, "said once, though read thrice: {}", said.err);
}

/// Records are what comes before the tokenizer, and a model from scratch may have none yet.
#[test]
fn records_need_no_tokenizer() {
    let setting = Setting::new();
    let config = "model={ plugin = \"pythia\", config = { vocab_size = 300, hidden_size = 32, num_hidden_layers = 2, \
                  num_attention_heads = 2, intermediate_size = 64 } }";
    let prepare =
        |form: &str| setting.run(["prepare", "recipe.toml", "--to", "out.jsonl", "--as", form, "--set", config]);
    prepare("records").succeeded();
    assert_eq!(rows(&setting.read("out.jsonl")).len(), 10);
    let err = prepare("tokens").failed(2);
    assert!(err.contains("`tokenizer`: a model from scratch needs a tokenizer"), "{err}");
}
