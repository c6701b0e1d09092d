//! Files that say they hold more than they do, or hold more than memory.

use super::tests::lists;
use crate::testing::{Folder, gz};
use ::parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{
        metadata::{
            ColumnChunkMetaData, FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
        },
        properties::WriterProperties,
        writer::SerializedFileWriter,
    },
    schema::{parser::parse_message_type, types::SchemaDescriptor},
};
use framework_sdk::serde_json::json;
use std::sync::Arc;

fn number(value: i64) -> Vec<u8> {
    let (mut rest, mut out) = ((value << 1 ^ value >> 63) as u64, vec![0x15]);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// A page that says it unpacks to `unpacked` bytes; `own` is what its kind has in its header.
fn page(kind: i64, unpacked: i64, field: u8, own: &[i64], body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = [kind, unpacked, body.len() as i64].into_iter().flat_map(number).collect();
    out.push(field);
    out.extend(own.iter().copied().flat_map(number));
    out.extend([0, 0]);
    [&out, body].concat()
}

/// A data page of so many values.
fn data(values: i64, encoding: i64, unpacked: i64, body: &[u8]) -> Vec<u8> {
    page(0, unpacked, 0x2c, &[values, encoding, 3, 3], body)
}

fn dictionary(values: i64, unpacked: i64, body: &[u8]) -> Vec<u8> {
    page(2, unpacked, 0x4c, &[values, 0], body)
}

/// A file of one column chunk with these pages.
fn file(column: &str, codec: Compression, pages: &[u8], rows: i64) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {column} }}")).unwrap());
    let schema = Arc::new(SchemaDescriptor::new(schema));
    let chunk = ColumnChunkMetaData::builder(schema.column(0)).set_compression(codec).set_num_values(rows);
    let chunk = chunk.set_data_page_offset(4).set_total_compressed_size(pages.len() as i64).build().unwrap();
    let group = RowGroupMetaData::builder(schema.clone()).set_num_rows(rows).set_column_metadata(vec![chunk]);
    let about = FileMetaData::new(1, rows, None, None, schema, None);
    let metadata = ParquetMetaDataBuilder::new(about).set_row_groups(vec![group.build().unwrap()]).build();
    let mut out = [b"PAR1", pages].concat();
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &metadata).finish().unwrap();
    out.extend(footer);
    out
}

#[track_caller]
fn refused(file: &[u8], expected: &str) {
    let error = Folder::of("a.parquet", file).refused("parquet", "");
    assert!(error.contains("a.parquet") && error.contains(expected), "{error}");
}

const TEXT: &str = "required binary a (UTF8);";
const NUMBER: &str = "required int64 a;";

#[test]
fn files_made_by_hand_are_read() {
    let body = [[1, 0, 0, 0, b'x'], [1, 0, 0, 0, b'y']].concat();
    let made = file(TEXT, Compression::UNCOMPRESSED, &data(2, 0, 10, &body), 2);
    assert_eq!(Folder::of("a.parquet", made).read("parquet", "").unwrap(), [json!({"a": "x"}), json!({"a": "y"})]);
    let packed = data(2, 0, 10, &gz(&body));
    let made = file(TEXT, Compression::GZIP(Default::default()), &packed, 2);
    assert_eq!(Folder::of("a.parquet", made).read("parquet", "").unwrap().len(), 2);
}

#[test]
fn pages_that_say_they_are_large_are_refused() {
    let text = |pages: &[u8]| file(TEXT, Compression::SNAPPY, pages, 2);
    refused(&text(&data(2, 0, 0x7fff_ffff, b"x")), "the column `a`: the page at byte 4 unpacks to more than 256 MiB");
    refused(&text(&data(2, 0, -1, b"x")), "says that its size is negative");
    refused(&text(&dictionary(2, 1 << 26, b"x")), "the dictionary at byte 4 unpacks to more than 32 MiB");
    let mut cut = data(2, 0, 4, &[0; 300]);
    cut.truncate(100);
    refused(&text(&cut), "says it has 300 bytes, but ");
    // The length of a text in the header, which the library would make room for.
    refused(&text(&[0x15, 0, 0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), "the column `a`: its metadata say that ");
}

#[test]
fn pages_that_unpack_to_more_than_they_say_are_refused() {
    let bomb = dictionary(2, 10, &gz(vec![0; 33 << 20]));
    refused(&file(TEXT, Compression::GZIP(Default::default()), &bomb, 2), "unpacks to more than 32 MiB");
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let pages = [dictionary(0x7fff_ffff, 8, &[0; 8]), data(2, 2, 1, &[0])].concat();
    let says = "a dictionary says it has 2147483647 values, in 8 bytes";
    refused(&file(NUMBER, Compression::UNCOMPRESSED, &pages, 2), says);
    // Lengths before the texts: one block of 2^31 of them, all the same.
    let block = [0x80, 0x80, 0x80, 0x80, 8, 1, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0];
    for encoding in [6, 7] {
        let lengths = data(0x7fff_ffff, encoding, block.len() as i64, &block);
        let error = "the lengths in a page are damaged, or more than ";
        refused(&file(TEXT, Compression::UNCOMPRESSED, &lengths, 2), error);
    }
}

/// A row whose list is a run of the same level, and one whose levels are packed.
#[test]
fn lists_without_end_are_refused() {
    let run = [[2, 0].as_slice(), &[0xfe, 0xff, 0xff, 0xff, 0xf, 1]].concat();
    let groups = 300_000_u32;
    let mut packed = vec![((groups << 1) as u8 & 0x7f) | 0x81, (groups >> 6) as u8 | 0x80, (groups >> 13) as u8, 0xfe];
    packed.resize(3 + groups as usize, 0xff);
    for (levels, values) in [(run, 0x7fff_ffff), (packed, i64::from(groups) * 8)] {
        let length = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let body = [length(&levels), length(&[0xfe, 0xff, 0xff, 0xff, 0xf, 1]), vec![0; 64]].concat();
        let page = data(values, 0, body.len() as i64, &body);
        let made = file("repeated int64 a;", Compression::UNCOMPRESSED, &page, 1);
        refused(&made, "a list in a row has more than 1048576 values");
    }
}

#[test]
fn lists_are_followed_from_page_to_page() {
    for rows in [2, 3, 5000, 5001] {
        for codec in [Compression::UNCOMPRESSED, Compression::ZSTD(Default::default())] {
            let read = Folder::of("a.parquet", lists(codec, rows)).read("parquet", "").unwrap();
            let third = json!({"tokens": [3, 4, 5], "text": "春"});
            assert_eq!((read.len(), &read[1]), (rows, &third));
        }
    }
}

#[test]
fn schemas_of_any_depth_are_refused() {
    let element = [0x48, 1, b'a', 0x15, 2, 0];
    let count = 100_000_u32;
    let mut footer = [0x15, 2, 0x19, 0xfc].to_vec();
    footer.extend([(count & 0x7f) as u8 | 0x80, (count >> 7 & 0x7f) as u8 | 0x80, (count >> 14) as u8]);
    footer.extend(element.repeat(count as usize));
    footer.push(0);
    let whole = |footer: &[u8]| [b"PAR1", footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
    refused(&whole(&footer), "its schema is nested more than 64 deep");
    refused(
        &whole(&[0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0]),
        "a list that says it has 2147483647 elements",
    );
    refused(&whole(&[0x15, 2, 0x19, 0x1c, 0x48, 1, b'a', 0x15, 0xfe, 0xff, 0xff, 0xff, 0xf, 0, 0]), "more fields than");
    refused(&whole(&[0x1c; 5000]), "its metadata are nested more than 32 deep");
}

#[test]
fn values_that_cannot_be_written_out_are_errors() {
    for logical in ["TIMESTAMP_MILLIS", "TIMESTAMP_MICROS"] {
        let schema = Arc::new(parse_message_type(&format!("message m {{ required int64 a ({logical}); }}")).unwrap());
        let mut out = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[0, i64::MAX, 1], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        let folder = Folder::of("a.parquet", out);
        let error = folder.refused_at("parquet", "a.parquet");
        assert!(error.starts_with("2: the file is damaged"), "{error}");
        assert_eq!(folder.read("parquet", "on_error = \"skip\"").unwrap().len(), 2);
    }
    let schema = Arc::new(parse_message_type("message m { required binary a (DECIMAL(400000,2)); }").unwrap());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(vec![7; 100_000])], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    refused(&out, "a column holds a decimal number that is too long");
}
