//! `parquet`: columnar tables as they are.

use crate::{
    conversation, fields,
    input::{Place, files, unreadable},
    rows::{self, Fault, OnError, sound},
};
use ::parquet::{
    file::{
        metadata::ColumnChunkMetaData,
        reader::{FileReader, SerializedFileReader},
    },
    record::{Field, Row, reader::RowIter},
    schema::types::Type,
};
use framework_sdk::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

mod bounded;
mod bounds;
mod thrift;

#[cfg(test)]
mod bombs;

options! {
    /// Records from Parquet files, unchanged.
    ///
    /// Conversations in other shapes, `conversations` (`from`, `value`) or lists of messages in `prompt` and
    /// `completion`, become `messages`; members of messages and tools that are null are left out.
    ///
    /// Only the columns in use are read, a page at a time. Lists and groups become JSON, and times become text. Files
    /// that need an unreasonable amount of memory are refused: those with a footer above 16 MiB, a page above 256 MiB,
    /// pages above 512 MiB that must be held at once, or rows whose lists have more than a million values.
    #[schemars(extend("x-reads" = "paths"))]
    pub struct Parquet {
        /// The file, or a folder of `.parquet` files, which are read in the order of their names.
        path: FilePath,
        /// The columns to read, as a table from names in the record to names in the file: `{ instruction = "prompt",
        /// output = "completion" }`. Default: all columns, under their own names.
        #[serde(default)]
        columns: BTreeMap<String, String>,
        /// What to do with a malformed row.
        #[serde(default)]
        on_error: OnError,
    }
}

impl Dataset for Parquet {
    fn open(&self, skipped: &Skipped) -> Result<Records> {
        let columns = self.columns.clone();
        let open = move |file: PathBuf| Table::open(file, columns.clone());
        let rows = rows::of_files(files(&self.path, &["parquet"])?, open);
        Ok(rows::records(skipped, self.on_error, rows))
    }
}

struct Table {
    path: Arc<Path>,
    rows: RowIter<'static>,
    number: u64,
    columns: BTreeMap<String, String>,
    ended: bool,
}

impl Table {
    fn open(path: PathBuf, columns: BTreeMap<String, String>) -> Result<Self> {
        let broken = |e: String| unreadable(&path, e);
        let file = File::open(&path).map_err(|e| broken(e.to_string()))?;
        let rows = sound(|| {
            bounds::footer(&file)?;
            let pages = file.try_clone().map_err(|e| e.to_string())?;
            let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
            let metadata = reader.metadata();
            let chosen = projection(metadata.file_metadata().schema(), &columns)?;
            let wanted = |column: &ColumnChunkMetaData| {
                let name = column.column_path().parts().first();
                chosen
                    .as_ref()
                    .is_none_or(|c| c.get_fields().iter().any(|field| Some(field.name()) == name.map(|n| &**n)))
            };
            metadata.row_groups().iter().try_for_each(|group| bounds::pages(&pages, group, wanted))?;
            bounded::rows(reader, chosen).map_err(|e| e.to_string())
        });
        let rows = rows.map_err(broken)?;
        Ok(Self { path: path.into(), rows, number: 0, columns, ended: false })
    }
}

/// The part of the schema that `columns` names.
fn projection(schema: &Type, columns: &BTreeMap<String, String>) -> Result<Option<Type>, String> {
    if columns.is_empty() {
        return Ok(None);
    }
    let wanted: BTreeSet<_> = columns.values().map(String::as_str).collect();
    let fields = schema.get_fields();
    if let Some(missing) = wanted.iter().find(|name| fields.iter().all(|field| field.name() != **name)) {
        let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
        return Err(format!("there is no column `{missing}`, only {}; correct it in `columns`", names.join(", ")));
    }
    let kept = fields.iter().filter(|field| wanted.contains(field.name())).cloned().collect();
    Type::group_type_builder(schema.name()).with_fields(kept).build().map(Some).map_err(|e| e.to_string())
}

impl Iterator for Table {
    type Item = Result<Record, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.number += 1;
        let place = Place { path: self.path.clone(), line: self.number, column: 0 };
        let row = sound(|| self.rows.next().transpose().map_err(|e| e.to_string())).transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        Some(row?.map_err(|e| place.broken(format!("row {}: {e}", self.number))).and_then(|row| {
            // Times that no calendar has panic when they are written out.
            let record = sound(|| record(row)).map_err(|e| place.wrong(e))?;
            let mut record = fields::rename(record, &self.columns, &place)?;
            for name in
                ["messages", "conversations", "prompt", "completion", "chosen", "rejected", "tools", "functions"]
            {
                record.get_mut(name).into_iter().for_each(conversation::without_nulls);
            }
            conversation::normalized(record, None, &place)
        }))
    }
}

fn record(row: Row) -> Result<Record, String> {
    row.into_columns().into_iter().map(|(name, field)| Ok((name, value(field)?))).collect()
}

fn value(field: Field) -> Result<Value, String> {
    let float = |number: f64| framework_sdk::serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number);
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => float(value.to_f64()),
        Field::Float(value) => float(value.into()),
        Field::Double(value) => float(value),
        Field::Str(value) => value.into(),
        Field::Bytes(value) => match std::str::from_utf8(value.data()) {
            Ok(text) => text.into(),
            Err(_) => return Err("a column holds bytes that are not text; choose others with `columns`".into()),
        },
        Field::Group(row) => Value::Object(record(row)?),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect::<Result<_, _>>()?,
        Field::MapInternal(map) => {
            let entry = |(key, entry): &(Field, Field)| {
                let key = match value(key.clone())? {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                Ok((key, value(entry.clone())?))
            };
            Value::Object(map.entries().iter().map(entry).collect::<Result<_, String>>()?)
        }
        Field::Decimal(number) if number.data().len() > 64 || !(0..=1000).contains(&number.scale()) => {
            return Err("a column holds a decimal number that is too long; choose others with `columns`".into());
        }
        other => other.to_string().into(),
    })
}

register!(dataset "parquet" => Parquet, example = r#"
path = "train-00000-of-00001.parquet"
columns = { text = "content" }
"#);

#[cfg(test)]
pub(crate) mod tests {
    use crate::testing::Folder;
    use ::parquet::{
        basic::Compression,
        data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
        file::{
            properties::{WriterProperties, WriterVersion},
            writer::SerializedFileWriter,
        },
        schema::parser::parse_message_type,
    };
    use framework_sdk::serde_json::json;
    use std::sync::Arc;

    /// Two row groups of two rows: `prompt` (UTF-8), `n` (optional), `x`, `raw` (bytes).
    pub fn table(compression: Compression) -> Vec<u8> {
        let schema = "message m { required binary prompt (UTF8); optional int64 n; required double x; \
                      required binary raw; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut out = Vec::new();
        let mut file = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
        for group in 0..2_i64 {
            let mut rows = file.next_row_group().unwrap();
            let texts = |of: [&str; 2]| of.map(ByteArray::from).to_vec();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&texts(["春天", "a"]), None, None).unwrap();
            column.close().unwrap();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&[group], Some(&[1, 0]), None).unwrap();
            column.close().unwrap();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(&[0.5, f64::NAN], None, None).unwrap();
            column.close().unwrap();
            let raw = [ByteArray::from(vec![b'r']), ByteArray::from(vec![if group == 0 { b's' } else { 0xff }])];
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&raw, None, None).unwrap();
            column.close().unwrap();
            rows.close().unwrap();
        }
        file.close().unwrap();
        out
    }

    /// One row group of `rows` rows: `tokens`, a list of three numbers, and `text`, which is the same in all of them.
    pub fn lists(compression: Compression, rows: usize) -> Vec<u8> {
        let schema = "message m { optional group tokens (LIST) { repeated group list { required int64 element; } } \
                      required binary text (UTF8); }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let version = if rows.is_multiple_of(2) { WriterVersion::PARQUET_1_0 } else { WriterVersion::PARQUET_2_0 };
        let properties = WriterProperties::builder().set_compression(compression).set_writer_version(version);
        let mut out = Vec::new();
        let mut file = SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build())).unwrap();
        let mut group = file.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let numbers: Vec<_> = (0..3 * rows as i64).collect();
        let levels = ([0, 1, 1].repeat(rows), [2_i16].repeat(3 * rows));
        column.typed::<Int64Type>().write_batch(&numbers, Some(&levels.1), Some(&levels.0)).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&vec![ByteArray::from("春"); rows], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        file.close().unwrap();
        out
    }

    /// Those that are read.
    pub fn codecs() -> [Compression; 5] {
        [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
            Compression::LZ4_RAW,
        ]
    }

    /// A column of objects has all members in all rows; those of other rows are null.
    #[test]
    fn members_of_tools_that_only_other_rows_have_are_left_out() {
        let schema = "message m { optional group tools (LIST) { repeated group list { optional group element { \
                      optional binary name (UTF8); optional binary query (UTF8); } } } }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut out = Vec::new();
        let mut file = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
        let mut group = file.next_row_group().unwrap();
        // Levels: the list, its entry, the entry's object, the member.
        let columns: [(&[&str], &[i16]); 2] = [(&["f", "g"], &[4, 4]), (&["x"], &[3, 4])];
        for (values, levels) in columns {
            let values: Vec<_> = values.iter().map(|value| ByteArray::from(*value)).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(levels), Some(&[0, 0])).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        file.close().unwrap();
        let read = Folder::of("t.parquet", out).read("parquet", "").unwrap();
        assert_eq!(read, [json!({"tools": [{"name": "f"}]}), json!({"tools": [{"name": "g", "query": "x"}]})]);
    }

    #[test]
    fn every_codec_gives_the_same_rows() {
        for codec in codecs() {
            let folder = Folder::of("t.parquet", table(codec));
            let read = folder.read("parquet", "columns = { instruction = \"prompt\", n = \"n\", x = \"x\" }").unwrap();
            let expected = [
                json!({"instruction": "春天", "n": 0, "x": 0.5}),
                json!({"instruction": "a", "n": null, "x": null}),
                json!({"instruction": "春天", "n": 1, "x": 0.5}),
                json!({"instruction": "a", "n": null, "x": null}),
            ];
            assert_eq!(read, expected, "{codec:?}");
        }
    }

    #[test]
    fn bytes_are_text_if_they_can_be() {
        let folder = Folder::of("t.parquet", table(Compression::SNAPPY));
        let error = folder.refused_at("parquet", "t.parquet");
        assert!(error.starts_with("4: a column holds bytes that are not text"), "{error}");
        let read = folder.read("parquet", "on_error = \"skip\"").unwrap();
        assert_eq!((read.len(), &read[1]["raw"]), (3, &json!("s")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let table = table(Compression::SNAPPY);
        let refused = |content: &[u8], options: &str| Folder::of("t.parquet", content).refused("parquet", options);
        let error = refused(&table, "columns = { text = \"content\" }");
        assert!(
            error.ends_with("no column `content`, only `prompt`, `n`, `x`, `raw`; correct it in `columns`"),
            "{error}"
        );
        assert!(refused(b"", "").starts_with("cannot read "));
        assert!(refused(&table[..table.len() - 20], "on_error = \"skip\"").starts_with("cannot read "));
    }
}
