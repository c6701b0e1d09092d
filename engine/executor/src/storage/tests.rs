//! Against bitsandbytes: tests/reference/quantized.py.

use super::{
    super::{Device, Value, test},
    Coded, Matrix, Storage,
    dynamic8::SIGNED,
};
use crate::storage::block4;
use framework_base::Float;
use framework_core::{Op, ffi::HostTensor};
use serde_json::Value as Json;
use std::{collections::BTreeMap, fs, path::PathBuf};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/quantized")).join(name)
}

fn json() -> Json {
    serde_json::from_slice(&fs::read(golden("blocks.json")).unwrap()).unwrap()
}

/// The tensors of a safetensors file in 32 bits: shapes and numbers.
fn tensors() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(golden("blocks.safetensors")).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Json> = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    let list =
        |value: &Json| value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect::<Vec<_>>();
    let read = |(name, about): (&String, &Json)| {
        let at = list(&about["data_offsets"]);
        let data = &bytes[8 + size + at[0]..8 + size + at[1]];
        (name.clone(), (list(&about["shape"]), Float::F32.decode(data)))
    };
    header.iter().filter(|(name, _)| *name != "__metadata__").map(read).collect()
}

fn floats(value: &Json) -> Vec<f32> {
    match value.as_array() {
        Some(all) => all.iter().map(|n| n.as_f64().unwrap() as f32).collect(),
        None => vec![value.as_f64().unwrap() as f32],
    }
}

fn bytes(value: &Json) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u8).collect()
}

const KINDS: [(&str, Storage); 4] = [
    ("nf4", Storage::Nf4 { double: false }),
    ("nf4 double", Storage::Nf4 { double: true }),
    ("fp4", Storage::Fp4 { double: false }),
    ("fp4 double", Storage::Fp4 { double: true }),
];

fn near(what: &str, found: &[f32], wanted: &[f32], tolerance: f32) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-30), "{what}, {i}: {a} is not {b}");
    }
}

#[test]
fn tables_are_those_of_bitsandbytes() {
    let tables = &json()["tables"];
    assert_eq!(floats(&tables["nf4"]), block4::NF4.table);
    assert_eq!(floats(&tables["fp4"]), block4::FP4.table);
    assert_eq!(floats(&tables["scales"]), SIGNED.numbers);
}

/// Codes are equal, scales to the last digits: their mean is summed in another order.
#[test]
fn weights_are_quantized_as_by_bitsandbytes() {
    let (json, tensors) = (json(), tensors());
    let mut cases = 0;
    for (name, entry) in json.as_object().unwrap().iter().filter(|(name, _)| *name != "tables") {
        let (shape, numbers) = &tensors[name];
        for (key, storage) in KINDS {
            let (what, wanted) = (format!("{name}, {key}"), &entry[key]);
            let Coded { words, scales } = storage.codec().unwrap().encode(numbers, shape[1]).unwrap();
            let packed = words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
            let blocks = numbers.len().div_ceil(block4::BLOCK);
            let wanted_codes = bytes(&wanted["packed"]);
            // A last odd number has a neighbour in its byte: the code of zero.
            assert!(packed[..wanted_codes.len()] == wanted_codes, "{what}");
            let absmax = floats(&wanted["absmax"]);
            if wanted["codes"].is_null() {
                near(&what, &scales, &absmax, 0.0);
            } else {
                let codes = bytes(&wanted["codes"]);
                assert_eq!(packed[blocks * block4::BLOCK / 2..][..codes.len()], codes, "{what}");
                near(&what, &scales[..scales.len() - 1], &absmax, 1e-5);
                near(&what, &scales[scales.len() - 1..], &floats(&wanted["offset"]), 1e-6);
            }
            let value = Value::stored(numbers.clone(), shape, storage, &Device::cpu()).unwrap();
            near(&what, &value.to_f32().unwrap(), &tensors[&format!("{name}: {key}")].1, 1e-5);
            cases += 1;
        }
    }
    assert!(cases >= 28);
}

fn random(n: usize, seed: u32) -> Vec<f32> {
    let mut x = seed;
    (0..n)
        .map(|_| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn all() -> Vec<Storage> {
    let four = KINDS.map(|(_, storage)| storage);
    [Storage::F32, Storage::Bf16, Storage::F16, Storage::Int8].into_iter().chain(four).collect()
}

/// A product with a stored weight, its gradient and its rows are those of the weight's numbers.
#[test]
fn what_is_computed_is_computed_with_the_decoded_numbers() {
    let device = Device::cpu();
    for storage in all() {
        for (rows, out, width) in [(3, 5, 37), (1, 64, 64), (4, 7, 96)] {
            let what = format!("{storage:?}, {rows} x {out} x {width}");
            let stored = Value::stored(random(out * width, 7), &[out, width], storage, &device).unwrap();
            let dense = Value::from_f32(stored.to_f32().unwrap(), &[out, width], &device).unwrap();
            let mut found = Vec::new();
            for weight in [stored.clone(), dense.clone()] {
                let x = Value::from_f32(random(rows * width, 3), &[rows, width], &device).unwrap().leaf().unwrap();
                let y = Value::execute(Op::Linear, vec![x.clone(), weight.tracked()]).unwrap().into_float().unwrap();
                let grads = (y.clone() * y.clone()).sum().backward();
                let dx = x.into_float().unwrap().grad(&grads).unwrap();
                found.push((Value::float(y, 2).to_f32().unwrap(), Value::float(dx, 2).to_f32().unwrap()));
            }
            if matches!(storage, Storage::F32 | Storage::Bf16 | Storage::F16) {
                assert_eq!(found[0], found[1], "{what}");
            }
            // Of few rows, sums are multiplied with the scales, not numbers.
            test::close(&found[0].0, &found[1].0, 1e-5);
            test::close(&found[0].1, &found[1].1, 1e-4);
            let ids = || Value::from_ints(vec![0, 2, 2, 4], &[2, 2], &device).unwrap();
            let rows = |table: &Value| Value::execute(Op::Embedding, vec![table.clone(), ids()]).unwrap();
            assert_eq!(rows(&stored).to_f32().unwrap(), rows(&dense).to_f32().unwrap(), "{what}");
            // Other operators see an ordinary tensor.
            let sum = |x: &Value| x.clone().plus(x.clone()).unwrap().to_f32().unwrap();
            assert_eq!(sum(&stored), sum(&dense), "{what}");
        }
    }
}

/// Weights of more rows than are decoded at a time: forward, back, and in the loss.
#[test]
fn large_weights_are_decoded_in_parts() {
    use crate::loss::{Cost, Head, Want, projected_loss};
    let (device, shape) = (Device::cpu(), [2100, 4096]);
    let stored = Value::stored(random(shape[0] * shape[1], 9), &shape, Storage::Int8, &device).unwrap();
    let dense = Value::from_f32(stored.to_f32().unwrap(), &shape, &device).unwrap();
    let x = || Value::from_f32(random(2 * shape[1], 4), &[2, shape[1]], &device).unwrap();
    let [found, wanted] = [&stored, &dense].map(|weight| {
        let leaf = x().leaf().unwrap();
        let y = Value::execute(Op::Linear, vec![leaf.clone(), weight.clone().tracked()]).unwrap();
        let grads = y.clone().into_float().unwrap().powi_scalar(2).sum().backward();
        let dx = Value::float(leaf.into_float().unwrap().grad(&grads).unwrap(), 2).to_f32().unwrap();
        let head = Head { weight: weight.clone(), bias: None, added: None, squash: Default::default(), half: None };
        let want = Want { hidden: true, ..Want::default() };
        let small = x().times(1e-3).unwrap();
        let loss = projected_loss(small, head, &Cost::plain(&[3, 2099], 1.0), want).unwrap();
        (y.to_f32().unwrap(), dx, loss.sum, loss.hidden.unwrap().to_f32().unwrap())
    });
    let close = |a: &[f32], b: &[f32]| {
        let most = b.iter().fold(0f32, |m, x| m.max(x.abs()));
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * most));
    };
    close(&found.0, &wanted.0);
    close(&found.1, &wanted.1);
    let [a, b] = [found.2, wanted.2].map(|sum| sum.scalar().unwrap());
    assert!((a - b).abs() < 1e-5 * b, "{a} {b}");
    close(&found.3, &wanted.3);
}

#[test]
fn halves_are_exact_and_integers_within_half_a_step() {
    let device = Device::cpu();
    let numbers = random(7 * 33, 5);
    let read = |storage| Value::stored(numbers.clone(), &[7, 33], storage, &device).unwrap().to_f32().unwrap();
    for (storage, format) in [(Storage::Bf16, Float::BF16), (Storage::F16, Float::F16)] {
        assert_eq!(read(storage), format.decode(&format.encode(&numbers).unwrap()));
    }
    for (row, found) in numbers.chunks(33).zip(read(Storage::Int8).chunks(33)) {
        let step = row.iter().fold(0f32, |m, x| m.max(x.abs())) / 127.0;
        for (a, b) in row.iter().zip(found) {
            assert!((a - b).abs() <= step * 0.5001, "{a} {b}");
        }
    }
    let zeros = Value::stored(vec![0.0; 6], &[2, 3], Storage::Int8, &device).unwrap();
    assert_eq!(zeros.to_f32().unwrap(), [0.0; 6]);
    let error = Value::stored(vec![1e6], &[1, 1], Storage::F16, &device).err().unwrap();
    assert!(error.message.contains("too large for 16-bit"), "{error}");
}

/// All 65536 of each format, beginning at any of them.
#[test]
fn every_16_bit_number_is_decoded_as_it_is() {
    let bits: Vec<u16> = (0..=u16::MAX).collect();
    let words = crate::words_of_halves(&bits);
    for (storage, format) in [(Storage::Bf16, Float::BF16), (Storage::F16, Float::F16)] {
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let wanted = format.decode(&bytes);
        for start in [0, 1, 5] {
            let mut found = vec![0.0; bits.len() - start];
            storage.codec().unwrap().decode(&words, &[1.0], Matrix::of(&[256, 256]), start, &mut found);
            for (i, (a, b)) in found.iter().zip(&wanted[start..]).enumerate() {
                assert!(
                    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                    "{storage:?} {:x}: {a}, not {b}",
                    i + start
                );
            }
        }
    }
}

#[test]
fn sizes_are_those_of_what_is_kept() {
    for storage in all() {
        for shape in [vec![5, 37], vec![130, 160], vec![3, 4, 64], vec![1, 1]] {
            let numbers = random(shape.iter().product(), 1);
            let Some(codec) = storage.codec() else { continue };
            let Coded { words, scales } = codec.encode(&numbers, *shape.last().unwrap()).unwrap();
            assert_eq!(storage.bytes(&shape), 4 * (words.len() + scales.len()) as u64, "{storage:?} {shape:?}");
        }
    }
    let bits = |storage: Storage| 8.0 * storage.bytes(&[4096, 4096]) as f64 / (4096.0 * 4096.0);
    assert!((bits(Storage::Nf4 { double: true }) - 4.127).abs() < 1e-3);
    assert_eq!(Matrix::of(&[2, 3, 4]).len(), 24);
}
