//! Files of tensors, compared byte by byte.

use super::compare::Difference;
use framework_base::Result;
use framework_weights::{Dtype, TensorFile, TensorInfo, format_of};
use std::{collections::BTreeSet, path::Path};

/// How much there is in the first file, and where the second differs from it first.
pub(super) fn compare(expected: &Path, found: &Path) -> Result<(String, Option<Difference>)> {
    let [expected, found] = [TensorFile::open(expected)?, TensorFile::open(found)?];
    let names: BTreeSet<&str> = expected.names().chain(found.names()).collect();
    let numbers: usize = expected.names().filter_map(|name| expected.info(name)).map(numbers).sum();
    let amount = format!("{} tensors, {numbers} numbers", expected.names().count());
    for name in names {
        let [a, b] = [&expected, &found].map(|file| file.info(name));
        if kind(a) != kind(b) {
            return Ok((amount, Some(Difference::new(format!("`{name}`"), kind(a), kind(b)))));
        }
        let (Some(info), bytes) = (a, [expected.bytes(name)?, found.bytes(name)?]) else { continue };
        if let Some(at) = bytes[0].iter().zip(bytes[1]).position(|(a, b)| a != b) {
            let size = (info.dtype.bitsize() / 8).max(1);
            let element = at / size;
            let [a, b] = bytes.map(|bytes| shown(info.dtype, &bytes[element * size..(element + 1) * size]));
            let at = format!("`{name}` {:?}", position(element, &info.shape));
            return Ok((amount, Some(Difference::new(at, a, b))));
        }
    }
    Ok((amount, None))
}

fn numbers(info: &TensorInfo) -> usize {
    info.shape.iter().product()
}

/// Format and shape, e.g. `F32 [2, 3]`.
fn kind(info: Option<&TensorInfo>) -> String {
    info.map_or("missing".to_owned(), |info| format!("{} {:?}", info.dtype, info.shape))
}

/// The indices of an element.
fn position(mut element: usize, shape: &[usize]) -> Vec<usize> {
    let mut indices: Vec<_> = shape
        .iter()
        .rev()
        .map(|&size| {
            let index = element % size.max(1);
            element /= size.max(1);
            index
        })
        .collect();
    indices.reverse();
    indices
}

/// A number as far as its digits go, and its bytes, since unequal ones may look alike.
fn shown(dtype: Dtype, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    match format_of(dtype) {
        Some(format) => {
            let mut number = [0.0];
            format.decode_into(bytes, &mut number);
            format!("{:?} (0x{hex})", number[0])
        }
        None => format!("0x{hex}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_base::Float;
    use framework_weights::{TensorShape, write_tensors};
    use std::borrow::Cow;

    #[test]
    fn the_first_element_that_differs_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, shape: &[usize], numbers: &[f32]| {
            let tensors = ["a", "b"].map(|name| TensorShape { name: name.into(), shape: shape.to_vec() });
            let path = dir.path().join(name);
            write_tensors(&path, Float::F32, &tensors, |_| Ok(Cow::Borrowed(numbers))).unwrap();
            path
        };
        let a = write("a", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(compare(&a, &a).unwrap(), ("2 tensors, 12 numbers".to_owned(), None));
        let b = write("b", &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.5, 5.5]);
        let difference = compare(&a, &b).unwrap().1.unwrap();
        assert_eq!(difference, Difference::new("`a` [1, 1]", "4.0 (0x40800000)", "4.5 (0x40900000)"));
        let zero = write("zero", &[2, 3], &[-0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(compare(&a, &zero).unwrap().1.unwrap().found, "-0.0 (0x80000000)");
        let c = write("c", &[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(compare(&a, &c).unwrap().1.unwrap(), Difference::new("`a`", "F32 [2, 3]", "F32 [3, 2]"));
    }
}
