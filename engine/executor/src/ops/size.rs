//! Results that no memory holds: allocating them would end the program.

use super::super::value::{R, Value};
use framework_base::memory;
use framework_core::{Op, PluginError, Result, ffi::HostTensor, meta::MOST_ELEMENTS};
use std::sync::LazyLock;

/// Elements of 32 bits that the machine's memory has room for.
static ROOM: LazyLock<u64> =
    LazyLock::new(|| memory::total().map_or(MOST_ELEMENTS, |bytes| (bytes / 4).min(MOST_ELEMENTS)));

/// Fewer than these are not looked at any closer.
const FEW: u64 = 1 << 26;

/// An error if the result of an operator would be larger than the whole memory.
pub(super) fn check(op: &Op, values: &[Value]) -> Result<()> {
    let elements = elements(op, values);
    if elements <= FEW || elements <= *ROOM {
        return Ok(());
    }
    let shapes: Vec<_> = values.iter().map(|value| format!("{:?}", value.shape())).collect();
    let gib = elements / (1 << 28);
    let message = format!("{op:?} of {} would take {gib} GiB, more than this machine has", shapes.join(" and "));
    Err(PluginError::new(message))
}

fn product(shape: impl IntoIterator<Item = u64>) -> u64 {
    shape.into_iter().fold(1, u64::saturating_mul)
}

/// The elements of the result, where it can be larger than all operands together; 0 elsewhere.
fn elements(op: &Op, values: &[Value]) -> u64 {
    let dims = |i: usize| values.get(i).map_or([1; R], |value| value.dims().map(|n| n as u64));
    let [a, b] = [dims(0), dims(1)];
    let pairs = |to: usize| (0..to).map(move |d| a[d].max(b[d]));
    match op {
        Op::Full { shape, .. } | Op::Expand { shape } => product(shape.iter().copied()),
        Op::Arange { start, end } => end.saturating_sub(*start).max(0) as u64,
        Op::Matmul => product(pairs(R - 2).chain([a[R - 2], b[R - 1]])),
        Op::Linear => product(a[..R - 1].iter().copied().chain([b[R - 2]])),
        Op::Embedding => product(b).saturating_mul(a[R - 1]),
        Op::Gather { .. } => product(b),
        Op::IndexSelect { dim } => match super::axis(*dim, &values[0]) {
            Ok(dim) => product((0..R).filter(|d| *d != dim).map(|d| a[d])).saturating_mul(product(b)),
            Err(_) => 0,
        },
        Op::Where => {
            let c = dims(2);
            product((0..R).map(|d| a[d].max(b[d]).max(c[d])))
        }
        _ if values.len() == 2 => product(pairs(R)),
        _ => 0,
    }
}
