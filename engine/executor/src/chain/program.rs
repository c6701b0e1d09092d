//! The operators of a chain, computed together.

use super::{Later, Step, What};
use crate::{
    kernels::{Loop, vectorised},
    value::R,
};
use burn::tensor::{Tensor as Burn, TensorData};
use framework_core::{PluginError, Result};
use rayon::prelude::*;
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Numbers of each operator that are computed at a time.
const PART: usize = 1 << 10;
/// Numbers of a task.
const TASK: usize = 1 << 15;

/// Operators in the order in which they are computed.
pub(super) struct Program {
    pub dims: [usize; R],
    nodes: Vec<Node>,
    leaves: Vec<Burn<R>>,
    /// The nodes that are asked for.
    pub roots: Vec<usize>,
}

/// Numbers of nodes, and what they were made of: as long as it is held, nothing else lies where it does.
pub(super) type Known = HashMap<*const Later, (usize, Arc<Later>)>;

#[derive(Clone, Copy)]
enum Node {
    Leaf(usize),
    Computed(Step, [usize; 2]),
}

impl Program {
    pub fn new(dims: [usize; R]) -> Self {
        Self { dims, nodes: Vec::new(), leaves: Vec::new(), roots: Vec::new() }
    }

    pub fn add(&mut self, later: &Arc<Later>, known: &mut Known) -> usize {
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
    pub fn run(mut self) -> Result<Vec<Burn<R>>> {
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
