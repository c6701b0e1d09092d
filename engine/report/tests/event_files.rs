//! Event files are decoded by code that shares nothing with what writes them: the checksum bit by bit, messages by field
//! numbers as TensorBoard's `.proto` files have them.

use framework_report::tensorboard::{EventFile, Hyper, Status};
use std::{collections::BTreeMap, fs, path::Path};

/// CRC-32C, one bit after the other.
fn crc(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

fn checked(data: &[u8], stored: &[u8]) {
    let crc = crc(data);
    let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
    assert_eq!(masked.to_le_bytes(), stored);
}

/// The records of a file, up to one that is incomplete.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut all) = (bytes, Vec::new());
    while rest.len() >= 12 {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        checked(&rest[..8], &rest[8..12]);
        let Some(data) = rest.get(12..12 + length + 4) else { break };
        checked(&data[..length], &data[length..]);
        all.push(data[..length].to_vec());
        rest = &rest[12 + length + 4..];
    }
    all
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Integer(u64),
    Eight([u8; 8]),
    Four([u8; 4]),
    Bytes(Vec<u8>),
}

impl Field {
    fn bytes(&self) -> &[u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }
    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
    fn message(&self) -> Message {
        message(self.bytes())
    }
    fn integer(&self) -> u64 {
        match self {
            Field::Integer(n) => *n,
            other => panic!("{other:?}"),
        }
    }
    fn double(&self) -> f64 {
        match self {
            Field::Eight(bytes) => f64::from_le_bytes(*bytes),
            other => panic!("{other:?}"),
        }
    }
}

type Message = BTreeMap<u64, Vec<Field>>;

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn message(bytes: &[u8]) -> Message {
    let (mut rest, mut fields) = (bytes, Message::new());
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let field = match key & 7 {
            0 => Field::Integer(varint(&mut rest)),
            kind => {
                let length = match kind {
                    1 => 8,
                    2 => varint(&mut rest) as usize,
                    5 => 4,
                    other => panic!("wire type {other}"),
                };
                let (data, after) = rest.split_at(length);
                rest = after;
                match kind {
                    1 => Field::Eight(data.try_into().unwrap()),
                    2 => Field::Bytes(data.to_vec()),
                    _ => Field::Four(data.try_into().unwrap()),
                }
            }
        };
        fields.entry(key >> 3).or_default().push(field);
    }
    fields
}

/// The events of all files in a folder, in the order of their names.
fn events(folder: &Path) -> Vec<Message> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| records(&fs::read(file).unwrap())).map(|record| message(&record)).collect()
}

/// `(step, tag, value)` of the scalars.
fn scalars(events: &[Message]) -> Vec<(u64, String, f32)> {
    let mut all = Vec::new();
    for event in events.iter().filter(|event| event.contains_key(&5)) {
        for value in event[&5][0].message()[&1].iter().map(Field::message) {
            if let Some([Field::Four(bytes)]) = value.get(&2).map(Vec::as_slice) {
                all.push((event[&2][0].integer(), value[&1][0].text(), f32::from_le_bytes(*bytes)));
            }
        }
    }
    all
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = EventFile::begin(folder.path(), 1).unwrap();
    file.scalars(3, &[("train/loss", 2.5), ("eval/loss", f64::NAN)]).unwrap();
    file.scalars(1 << 40, &[("train/loss", -1e-3)]).unwrap();
    file.texts(3, &[("samples/1".into(), "**春天** 来了".into())]).unwrap();
    file.scalars(4, &[("", 0.0); 0]).unwrap();
    let events = events(folder.path());
    assert_eq!(events.len(), 5);
    assert_eq!(events[0][&3][0].text(), "brain.Event:2");
    let log = events[1][&7][0].message();
    assert_eq!((log[&1][0].integer(), events[1][&2][0].integer()), (1, 1)); // START, at step 1
    assert!(events[1][&1][0].double() > 1.7e9);
    let read = scalars(&events);
    assert_eq!(
        (read[0].clone(), read[2].clone()),
        ((3, "train/loss".into(), 2.5), (1 << 40, "train/loss".into(), -1e-3))
    );
    assert!(read[1].2.is_nan());
    let value = events[4][&5][0].message()[&1][0].message();
    let tensor = value[&8][0].message();
    assert_eq!(tensor[&1][0].integer(), 7); // DT_STRING
    assert_eq!(tensor[&8][0].text(), "**春天** 来了");
    let plugin = value[&9][0].message()[&1][0].message();
    assert_eq!(plugin[&1][0].text(), "text");
}

#[test]
fn settings_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = EventFile::begin(folder.path(), 1).unwrap();
    let settings = [
        ("optimizer.learning_rate".to_owned(), Hyper::Number(2e-4)),
        ("adapter.plugin".to_owned(), Hyper::Text("lora".into())),
        ("train.packing".to_owned(), Hyper::Switch(true)),
    ];
    file.begin_session("r8", &settings, &["eval/loss"]).unwrap();
    file.end_session(Status::Success).unwrap();
    let events = events(folder.path());
    let content = |i: usize| {
        let value = events[i][&5][0].message()[&1][0].message();
        let plugin = value[&9][0].message()[&1][0].message();
        assert_eq!(plugin[&1][0].text(), "hparams");
        (value[&1][0].text(), plugin[&2][0].message())
    };
    let (tag, experiment) = content(2);
    assert_eq!(tag, "_hparams_/experiment");
    assert_eq!(experiment[&2][0].message()[&4].len(), 3);
    assert_eq!(experiment[&2][0].message()[&5][0].message()[&1][0].message()[&2][0].text(), "eval/loss");
    let (tag, start) = content(3);
    assert_eq!(tag, "_hparams_/session_start_info");
    let pairs = start[&3][0].message()[&1].iter().map(Field::message).collect::<Vec<_>>();
    assert_eq!(pairs[0][&1][0].text(), "optimizer.learning_rate");
    assert_eq!(pairs[0][&2][0].message()[&2][0].double(), 2e-4);
    assert_eq!(pairs[1][&2][0].message()[&3][0].text(), "lora");
    assert_eq!(pairs[2][&2][0].message()[&4][0].integer(), 1);
    let (tag, end) = content(4);
    assert_eq!(tag, "_hparams_/session_end_info");
    assert_eq!(end[&4][0].message()[&1][0].integer(), 1);
}

/// Cut off at any byte, all records before that are read, and the next session's file is whole.
#[test]
fn a_killed_writer_leaves_a_file_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = EventFile::begin(folder.path(), 1).unwrap();
    (1..=4).for_each(|step| file.scalars(step, &[("train/loss", step as f64)]).unwrap());
    let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        let read = records(&whole[..length]);
        assert!(records(&whole).starts_with(&read), "{length}");
    }
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let mut file = EventFile::begin(folder.path(), 3).unwrap();
    file.scalars(3, &[("train/loss", 30.0)]).unwrap();
    let events = events(folder.path());
    let starts: Vec<_> =
        events.iter().filter(|event| event.contains_key(&7)).map(|event| event[&2][0].integer()).collect();
    assert_eq!(starts, [1, 3]);
    assert_eq!(scalars(&events).last().unwrap().2, 30.0);
}
