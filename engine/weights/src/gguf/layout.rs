//! Where the tensors of a Hugging Face folder stand in a GGUF file, and in what order their numbers.

use super::Packing;
use crate::TensorShape;
use framework_base::{Error, Float, Result};
use std::borrow::Cow;

/// A tensor of a GGUF file, and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its shape, the dimension first whose steps are largest.
    pub shape: Vec<usize>,
    pub(super) made: Made,
}

/// What a tensor is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Made {
    /// A tensor of the folder.
    Of(String, Order),
    /// Tensors of the same shape, one after the other: those of all experts.
    Stacked(Vec<String>),
    /// Numbers that follow from the configuration.
    Numbers(Vec<f32>),
}

/// The order of numbers in a GGUF file, seen from that in a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// The same.
    Same,
    /// Rows of each of so many heads: those of the first half and of the second take turns. Folders rotate halves against
    /// each other, llama.cpp's `llama` rotates neighbours.
    Neighbours(usize),
    /// Rows of each of so many heads: folders have query, key and value of the first head, then of the second, and so on;
    /// GGUF has the queries of all heads, then all keys, then all values.
    Grouped(usize),
    /// Columns become rows.
    Turned,
    /// The same, and 1 more each: Gemma's norms, which folders store as the difference from 1.
    PlusOne,
}

impl Place {
    /// The format of the tensor in a file whose large tensors have the given one: norms, biases and other vectors, routers
    /// and learned positions stay in 32 bits.
    pub fn packing(&self, file: Packing) -> Packing {
        let name = self.name.as_str();
        let wide = self.shape.len() < 2
            || name.ends_with("_norm.weight")
            || name.ends_with(".ffn_gate_inp.weight")
            || name == "position_embd.weight"
            || !name.ends_with(".weight");
        if wide { Packing::Float(Float::F32) } else { file.fitting(&self.shape) }
    }

    /// The numbers, from those of the folder's tensors.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn numbers<'a>(&self, mut read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>) -> Result<Cow<'a, [f32]>> {
        Ok(match &self.made {
            Made::Numbers(numbers) => numbers.clone().into(),
            Made::Of(name, Order::Same) => read(name)?,
            Made::Of(name, order) => order.forward(&read(name)?, &self.shape).into(),
            Made::Stacked(names) => {
                let mut all = Vec::with_capacity(self.shape.iter().product());
                for name in names {
                    all.extend_from_slice(&read(name)?);
                }
                all.into()
            }
        })
    }

    /// The folder's tensors that it holds.
    pub(super) fn holds(&self) -> &[String] {
        match &self.made {
            Made::Of(name, _) => std::slice::from_ref(name),
            Made::Stacked(names) => names,
            Made::Numbers(_) => &[],
        }
    }
}

impl Order {
    /// The shape in GGUF of a tensor of the folder.
    pub(super) fn shape(self, mut shape: Vec<usize>) -> Vec<usize> {
        if self == Order::Turned {
            shape.reverse();
        }
        shape
    }

    /// From the folder's order to GGUF's; `shape` is that in GGUF.
    pub(super) fn forward(self, numbers: &[f32], shape: &[usize]) -> Vec<f32> {
        match self {
            Order::Same => numbers.to_vec(),
            Order::PlusOne => numbers.iter().map(|x| x + 1.0).collect(),
            Order::Neighbours(heads) => swapped(numbers, heads, 2, shape[0] / heads / 2),
            Order::Grouped(heads) => swapped(numbers, 1, heads, 3),
            Order::Turned => turned(numbers, shape[0]),
        }
    }

    /// From GGUF's order to the folder's.
    pub(super) fn backward(self, numbers: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        match self {
            Order::Same => numbers,
            Order::PlusOne => numbers.into_iter().map(|x| x - 1.0).collect(),
            Order::Neighbours(heads) => swapped(&numbers, heads, shape[0] / heads / 2, 2),
            Order::Grouped(heads) => swapped(&numbers, 1, 3, heads),
            Order::Turned => turned(&numbers, numbers.len() / shape[0]),
        }
    }
}

/// Numbers `[outer, a, b, inner]` as `[outer, b, a, inner]`.
fn swapped(numbers: &[f32], outer: usize, a: usize, b: usize) -> Vec<f32> {
    let inner = numbers.len() / (outer * a * b).max(1);
    let mut out = Vec::with_capacity(numbers.len());
    for of in 0..outer {
        for j in 0..b {
            for i in 0..a {
                let start = ((of * a + i) * b + j) * inner;
                out.extend_from_slice(&numbers[start..start + inner]);
            }
        }
    }
    out
}

/// `[columns, rows]` of a row-major `[rows, columns]` with so many columns.
fn turned(numbers: &[f32], columns: usize) -> Vec<f32> {
    let rows = numbers.len() / columns.max(1);
    (0..columns).flat_map(|column| (0..rows).map(move |row| numbers[row * columns + column])).collect()
}

/// A problem with a tensor that has no place.
pub(super) fn no_place(tensor: &TensorShape, kind: &str) -> Error {
    let message = format!("tensor `{}` of the model has no place in GGUF's layout of `{kind}`", tensor.name);
    Error::failed(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_undone() {
        let numbers: Vec<f32> = (0..48).map(|x| x as f32).collect();
        for (order, shape) in [
            (Order::Same, [12, 4]),
            (Order::Neighbours(3), [12, 4]),
            (Order::Grouped(2), [12, 4]),
            (Order::Turned, [4, 12]),
        ] {
            let there = order.forward(&numbers, &shape);
            assert_eq!(order.backward(there, &shape), numbers, "{order:?}");
        }
        assert_eq!(Order::PlusOne.backward(Order::PlusOne.forward(&[0.5], &[1]), &[1]), [0.5]);
    }

    #[test]
    fn rows_stand_where_llama_cpp_looks_for_them() {
        let rows = |order: Order, rows: usize| order.forward(&(0..rows).map(|x| x as f32).collect::<Vec<_>>(), &[rows]);
        assert_eq!(rows(Order::Neighbours(2), 8), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        assert_eq!(rows(Order::Grouped(2), 6), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(Order::Turned.forward(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[3, 2]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
