use super::*;
use crate::data::{Sequence, test::record};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;

fn written(rows: Vec<Row>) -> SerializedFileReader<File> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let mut file = File::create(&path).unwrap();
    let mut table = Box::new(Parquet::new(&path, &mut file));
    rows.into_iter().for_each(|row| table.put(row).unwrap());
    table.finish().unwrap();
    SerializedFileReader::new(File::open(&path).unwrap()).unwrap()
}

#[test]
fn nested_rows_come_back_as_they_were() {
    let rows = [
        json!({"t": "春天", "n": 1, "x": 1, "b": true, "m": [{"role": "user", "content": ["a", null, "c"]}], "d": "s"}),
        json!({"t": null, "n": -2, "x": 0.5, "m": [], "d": {"k": [1]}}),
        json!({"m": [{"role": "user", "content": []}, {"role": "b", "content": null}], "late": [[1, 2], [], [3]]}),
        json!({"m": null, "late": []}),
    ];
    let file = written(rows.iter().map(|row| Row::Record(record(row.clone()))).collect());
    let read: Vec<Value> = file.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string().into()).collect();
    let expected = [
        r#"{t: "春天", n: 1, x: 1.0, b: true, m: [{role: "user", content: ["a", null, "c"]}], d: "s", late: null}"#,
        r#"{t: null, n: -2, x: 0.5, b: null, m: [], d: "{"k":[1]}", late: null}"#,
        r#"{t: null, n: null, x: null, b: null, m: [{role: "user", content: []}, {role: "b", content: null}], d: null, late: [[1, 2], [], [3]]}"#,
        r#"{t: null, n: null, x: null, b: null, m: null, d: null, late: []}"#,
    ];
    assert_eq!(read, expected);
}

#[test]
fn tokens_are_lists_of_32_bits_in_groups_of_bounded_size() {
    let n = 20_000;
    let sequence = |i: u32| Sequence { ids: vec![i; 100], labels: [vec![-100; 99], vec![i as i32]].concat() };
    let file = written((0..n).map(|i| Row::Tokens(sequence(i), Split::Validation)).collect());
    let groups = file.metadata().row_groups();
    assert!(groups.len() > 1, "{}", groups.len());
    assert_eq!(groups.iter().map(|group| group.num_rows()).sum::<i64>(), i64::from(n));
    assert_eq!(groups[0].column(0).column_type(), Physical::INT32);
    let last = file.get_row_iter(None).unwrap().last().unwrap().unwrap().to_string();
    assert!(last.starts_with("{input_ids: [19999, 19999, ") && last.ends_with("-100, 19999], split: \"validation\"}"));
}
