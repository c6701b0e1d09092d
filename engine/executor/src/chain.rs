//! Chains of elementwise operators that are put off until their results are asked for, and then computed together, a few
//! numbers at a time: an optimizer's update reads and writes memory once instead of once for each operator.
//!
//! Each operator is computed as it would be alone, so that the numbers are the same.

use super::{
    backend::on_processor,
    kernels::{Loop, vectorised},
    value::{Data, Held, R, Value},
};
use burn::tensor::{Tensor as Burn, TensorData};
use framework_core::{Op, PluginError, Result};
use rayon::prelude::*;
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Numbers of each operator that are computed at a time.
const PART: usize = 1 << 10;
/// Numbers of a task.
const TASK: usize = 1 << 15;
/// Numbers of a tensor below which there is nothing to gain.
const LEAST: usize = 1 << 12;

/// What an operator does with two numbers, or with one and a constant.
#[derive(Clone, Copy)]
enum Step {
    Add,
    Sub,
    Mul,
    Div,
    AddScalar(f32),
    MulScalar(f32),
    Neg,
    Sqrt,
}

impl Step {
    fn of(op: &Op) -> Option<(Self, usize)> {
        Some(match op {
            Op::Add => (Self::Add, 2),
            Op::Sub => (Self::Sub, 2),
            Op::Mul => (Self::Mul, 2),
            Op::Div => (Self::Div, 2),
            Op::AddScalar(s) => (Self::AddScalar(*s as f32), 1),
            Op::MulScalar(s) => (Self::MulScalar(*s as f32), 1),
            Op::Neg => (Self::Neg, 1),
            Op::Sqrt => (Self::Sqrt, 1),
            _ => return None,
        })
    }

    #[inline(always)]
    fn compute(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        #[inline(always)]
        fn each(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = f(*a, *b));
        }
        match self {
            Self::Add => each(a, b, out, |a, b| a + b),
            Self::Sub => each(a, b, out, |a, b| a - b),
            Self::Mul => each(a, b, out, |a, b| a * b),
            Self::Div => each(a, b, out, |a, b| a / b),
            Self::AddScalar(s) => each(a, a, out, |a, _| a + s),
            Self::MulScalar(s) => each(a, a, out, |a, _| a * s),
            Self::Neg => each(a, a, out, |a, _| -a),
            Self::Sqrt => each(a, a, out, |a, _| a.sqrt()),
        }
    }
}

/// A tensor that is there, or an operator that is put off.
pub(super) struct Later {
    pub(super) dims: [usize; R],
    what: What,
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them in an update")]
enum What {
    There(Burn<R>),
    Computed(Step, [Arc<Later>; 2]),
}

impl Later {
    pub(super) fn device(&self) -> burn::tensor::Device {
        match &self.what {
            What::There(t) => t.device(),
            What::Computed(_, [a, _]) => a.device(),
        }
    }
}

impl Later {
    /// Computes it alone.
    pub(super) fn computed(self: Arc<Self>) -> Burn<R> {
        if let What::There(t) = &self.what {
            return t.clone();
        }
        let mut program = Program::new(self.dims);
        let root = program.add(&self, &mut Known::new());
        program.roots.push(root);
        drop(self);
        program.run().expect("a chain of 32-bit numbers has a result").remove(0)
    }
}

impl Value {
    /// The same; what elementwise operators make of it is put off, where that is worth it.
    pub fn put_off(self) -> Self {
        let rank = self.rank;
        let worth =
            |t: &Burn<R>| t.dims().iter().product::<usize>() >= LEAST && !t.is_autodiff() && on_processor(&t.device());
        match self.held {
            Held::Dense(Data::Float(t)) if worth(&t) && t.dtype() == burn::tensor::DType::F32 => {
                let later = Later { dims: t.dims(), what: What::There(t) };
                Self { held: Held::Later(Arc::new(later)), rank }
            }
            held => Self { held, rank },
        }
    }

    /// Computes all that is put off in these values: together, if they are of one shape. Tensors that nobody else holds are
    /// made the results.
    pub fn computed(values: Vec<Self>) -> Result<Vec<Self>> {
        let mut groups: Vec<(Program, Known)> = Vec::new();
        let mut places = Vec::new();
        for value in values {
            places.push(match value.held {
                Held::Later(later) => {
                    let group = groups.iter().position(|(program, _)| program.dims == later.dims);
                    let group = group.unwrap_or_else(|| {
                        groups.push((Program::new(later.dims), Known::new()));
                        groups.len() - 1
                    });
                    let (program, known) = &mut groups[group];
                    let node = program.add(&later, known);
                    program.roots.push(node);
                    Place::Computed { group, rank: value.rank }
                }
                held => Place::There(Self { held, ..value }),
            });
        }
        let mut results = Vec::new();
        for (program, known) in groups {
            // It holds the leaves, too, without which they can be changed in place.
            drop(known);
            results.push(program.run()?.into_iter());
        }
        let of_place = |place| match place {
            Place::There(value) => Ok(value),
            Place::Computed { group, rank } => {
                let result: Option<Burn<R>> = results[group].next();
                result.map(|t| Self::float(t, rank)).ok_or_else(|| PluginError::new("a result was lost"))
            }
        };
        places.into_iter().map(of_place).collect()
    }
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them in an update")]
enum Place {
    There(Value),
    Computed { group: usize, rank: usize },
}

/// The operator put off, if it can be: one of them at least has been put off before.
pub(super) fn put_off(op: &Op, values: &[Value]) -> Option<Value> {
    let (step, count) = Step::of(op)?;
    let operand = |value: &Value| match &value.held {
        Held::Later(later) => Some(later.clone()),
        _ => None,
    };
    let operands: Option<Vec<_>> = values.iter().take(count).map(operand).collect();
    let operands = operands.filter(|all| all.len() == count && all[0].dims == all[count - 1].dims)?;
    let [a, b] = [operands[0].clone(), operands[count - 1].clone()];
    let (dims, rank) = (a.dims, values[0].rank.max(values[count - 1].rank));
    Some(Value { held: Held::Later(Arc::new(Later { dims, what: What::Computed(step, [a, b]) })), rank })
}

/// Operators in the order in which they are computed.
struct Program {
    dims: [usize; R],
    nodes: Vec<Node>,
    leaves: Vec<Burn<R>>,
    roots: Vec<usize>,
}

/// Numbers of nodes, and what they were made of: as long as it is held, nothing else lies where it does.
type Known = HashMap<*const Later, (usize, Arc<Later>)>;

#[derive(Clone, Copy)]
enum Node {
    Leaf(usize),
    Computed(Step, [usize; 2]),
}

impl Program {
    fn new(dims: [usize; R]) -> Self {
        Self { dims, nodes: Vec::new(), leaves: Vec::new(), roots: Vec::new() }
    }

    fn add(&mut self, later: &Arc<Later>, known: &mut Known) -> usize {
        if let Some((node, _)) = known.get(&Arc::as_ptr(later)) {
            return *node;
        }
        let node = match &later.what {
            What::There(t) => {
                self.leaves.push(t.clone());
                Node::Leaf(self.leaves.len() - 1)
            }
            What::Computed(step, [a, b]) => Node::Computed(*step, [self.add(a, known), self.add(b, known)]),
        };
        self.nodes.push(node);
        known.insert(Arc::as_ptr(later), (self.nodes.len() - 1, later.clone()));
        self.nodes.len() - 1
    }

    /// The tensors of the roots.
    fn run(mut self) -> Result<Vec<Burn<R>>> {
        let device = self.leaves[0].device();
        let mut buffers: Vec<TensorData> = self.leaves.drain(..).map(Burn::into_data).collect();
        let targets = self.targets(&mut buffers);
        let count: usize = self.dims.iter().product();
        let mut tasks: Vec<Vec<&mut [f32]>> = (0..count.div_ceil(TASK)).map(|_| Vec::new()).collect();
        for buffer in &mut buffers {
            let numbers =
                buffer.as_mut_slice::<f32>().map_err(|e| PluginError::new(format!("cannot compute: {e:?}")))?;
            tasks.iter_mut().zip(numbers.chunks_mut(TASK)).for_each(|(task, numbers)| task.push(numbers));
        }
        tasks.into_par_iter().for_each(|buffers| vectorised(Task { program: &self, targets: &targets, buffers }));
        let mut buffers: Vec<Option<TensorData>> = buffers.into_iter().map(Some).collect();
        let mut take = |target: &usize| buffers[*target].take();
        let results: Option<Vec<_>> = targets.iter().map(&mut take).collect();
        let results = results.ok_or_else(|| PluginError::new("two results of one operator"))?;
        Ok(results.into_iter().map(|data| Burn::from_data(data, &device)).collect())
    }

    /// The buffer of each root: that of a leaf, or a new one.
    fn targets(&self, buffers: &mut Vec<TensorData>) -> Vec<usize> {
        let mut targets: Vec<Option<usize>> = Vec::new();
        for (i, root) in self.roots.iter().enumerate() {
            let leaf = match self.nodes[*root] {
                Node::Leaf(leaf) if !self.roots[..i].contains(root) => Some(leaf),
                _ => None,
            };
            targets.push(leaf);
        }
        let mut free: Vec<usize> = (0..buffers.len()).rev().filter(|leaf| !targets.contains(&Some(*leaf))).collect();
        let mut given = |target: Option<usize>| {
            target.or_else(|| free.pop()).unwrap_or_else(|| {
                buffers.push(TensorData::zeros::<f32, _>(self.dims));
                buffers.len() - 1
            })
        };
        targets.into_iter().map(&mut given).collect()
    }

    #[inline(always)]
    fn part(&self, buffers: &mut [&mut [f32]], part: Range<usize>, targets: &[usize], scratch: &mut [f32]) {
        let count = part.len();
        for (i, node) in self.nodes.iter().enumerate() {
            let (before, out) = scratch.split_at_mut(i * PART);
            let out = &mut out[..count];
            match node {
                Node::Leaf(leaf) => out.copy_from_slice(&buffers[*leaf][part.clone()]),
                Node::Computed(step, [a, b]) => {
                    step.compute(&before[a * PART..][..count], &before[b * PART..][..count], out);
                }
            }
        }
        for (root, target) in self.roots.iter().zip(targets) {
            buffers[*target][part.clone()].copy_from_slice(&scratch[root * PART..][..count]);
        }
    }
}

/// Some numbers of all buffers.
struct Task<'a> {
    program: &'a Program,
    targets: &'a [usize],
    buffers: Vec<&'a mut [f32]>,
}

impl Loop for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (mut scratch, count) = (vec![0.0; self.program.nodes.len() * PART], self.buffers[0].len());
        for start in (0..count).step_by(PART) {
            let part = start..count.min(start + PART);
            self.program.part(&mut self.buffers, part, self.targets, &mut scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::{floats, run};
    use framework_core::ffi::HostTensor;

    /// What an optimizer does, with operators of which some are no step of a chain.
    fn update(param: Value, grad: Value, state: Value) -> Vec<Value> {
        let op = |op: Op, all: &[&Value]| run(op, all).unwrap();
        let grad = op(Op::MulScalar(0.3), &[&grad]);
        let square = op(Op::Mul, &[&grad, &grad]);
        let state = op(Op::Add, &[&op(Op::MulScalar(0.9), &[&state]), &square]);
        let root = op(Op::AddScalar(1e-8), &[&op(Op::Sqrt, &[&op(Op::Mul, &[&state, &state])])]);
        let step = op(Op::Div, &[&op(Op::Neg, &[&grad]), &root]);
        let signs = op(Op::Sign, &[&step]);
        vec![op(Op::Sub, &[&op(Op::Sub, &[&param, &step]), &signs]), state, grad.clone(), grad, param]
    }

    #[test]
    fn chains_give_the_numbers_of_their_operators() {
        for shape in [vec![70, 100], vec![3, 5], vec![4096 * 9 + 7]] {
            let inputs = || [1, 2, 3].map(|seed| floats(&shape, seed));
            let [p, g, s] = inputs();
            let expected = update(p, g, s);
            let [p, g, s] = inputs().map(Value::put_off);
            let found = Value::computed(update(p, g, s)).unwrap();
            for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert_eq!((a.shape(), a.to_f32().unwrap()), (b.shape(), b.to_f32().unwrap()), "{shape:?}, {i}");
            }
        }
    }

    #[test]
    fn what_is_held_elsewhere_is_not_changed() {
        let (kept, before) = (floats(&[80, 80], 1), floats(&[80, 80], 1).to_f32().unwrap());
        let later = kept.clone().put_off();
        let twice = run(Op::MulScalar(2.0), &[&later]).unwrap();
        // Other operators get the number at once.
        assert_eq!(run(Op::Exp, &[&twice]).unwrap().to_f32().unwrap()[7], (before[7] * 2.0).exp());
        let twice = Value::computed(vec![twice]).unwrap().remove(0).to_f32().unwrap();
        assert_eq!(
            (twice[5], kept.to_f32().unwrap(), later.to_f32().unwrap()),
            (before[5] * 2.0, before.clone(), before)
        );
    }

    #[test]
    fn different_shapes_do_not_meet() {
        let (a, b) = (floats(&[80, 80], 1).put_off(), floats(&[1, 80], 2).put_off());
        let sum = run(Op::Add, &[&a, &b]).unwrap();
        let both = Value::computed(vec![run(Op::Neg, &[&a]).unwrap(), sum.clone(), b]).unwrap();
        assert_eq!(both[1].shape(), [80, 80]);
        assert_eq!(both[1].to_f32().unwrap(), sum.to_f32().unwrap());
    }
}
