//! The largest pass of a run: what it computes, and what memory it takes at each moment.

use crate::{
    budget,
    build::{asked, blueprint::Blueprint},
    session::Session,
};
use framework_base::Result;
use framework_core::{
    Param,
    meta::{self, MetaHost},
};
use framework_executor::working::{self, Trained};
use framework_recipe::{BackendName, Frozen, Objective, ObjectiveName};
use framework_text::data::Batches;
use std::collections::BTreeSet;

/// The largest forward pass of a run.
#[derive(Default)]
pub(crate) struct Pass {
    pub rows: usize,
    pub tokens: usize,
    /// Floating-point operations, forward and backward.
    pub flops: u64,
    pub moments: Vec<Moment>,
}

/// What a moment of a step takes beside weights and the optimizer's states, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub gradients: u64,
    pub activations: u64,
    pub working: u64,
}

/// Bytes of gradients by the part of the model that they belong to.
struct Gradients {
    /// Those of what lies before the blocks, of each block, and of what lies behind.
    stages: Vec<u64>,
    /// Those that are there from the micro-batches before.
    before: u64,
    all: u64,
    largest: u64,
}

impl Gradients {
    fn of(blueprint: &Blueprint, accumulates: bool) -> Self {
        let Blueprint { spec, .. } = blueprint;
        let bytes = |param: &Param| 4 * param.len() as u64;
        let mut stages = vec![0; spec.blocks + 2];
        for param in blueprint.trained() {
            let before = param.role == framework_core::Role::Embedding && param.name != spec.output;
            let stage = param.block.map_or(if before { 0 } else { spec.blocks + 1 }, |block| block + 1);
            stages[stage.min(spec.blocks + 1)] += bytes(param);
        }
        let all = stages.iter().sum();
        let largest = blueprint.trained().into_iter().map(bytes).max().unwrap_or(0);
        Self { stages, before: if accumulates { all } else { 0 }, all, largest }
    }

    /// Those that are there when the way back has come down to a stage.
    fn down_to(&self, stage: usize) -> u64 {
        self.before + self.stages[stage..].iter().sum::<u64>()
    }
}

/// Whether the loss is a function of cross-entropies alone.
fn is_plain(objective: &Objective) -> bool {
    let smoothed = objective.name == ObjectiveName::Sft && objective.label_smoothing.is_some_and(|share| share > 0.0);
    !smoothed && objective.z_loss.is_none_or(|weight| weight == 0.0) && objective.name != ObjectiveName::Distillation
}

impl Pass {
    pub fn largest(session: &Session, blueprint: &Blueprint, batches: &Batches) -> Result<Self> {
        let Blueprint { model, spec, adapted, .. } = blueprint;
        let trained: BTreeSet<String> = blueprint.trained().into_iter().map(|param| param.name.clone()).collect();
        let train = &session.recipe.train;
        let (rows, tokens) = ((train.batch_size * batches.together).min(batches.rows.len()), batches.longest());
        if rows == 0 || tokens == 0 {
            return Ok(Self { rows, tokens, ..Self::default() });
        }
        let host = MetaHost::training(spec, session.adapter()?, trained.clone(), rows, tokens)?;
        let kept = meta::forward(model, &host, spec)?;
        let cost = host.cost();
        // Frozen weights need no gradient of their own: one backward product instead of two.
        let back = if spec.params.iter().any(|param| trained.contains(&param.name)) { 3 } else { 2 };
        let gradients = Gradients::of(blueprint, train.gradient_accumulation > 1);
        let heads = spec.attentions.iter().map(|attention| attention.queries).max().unwrap_or(0);
        let block = working::SPARE + 3 * cost.largest + working::attention(rows * heads, tokens);
        let (backend, objective) = (&session.recipe.backend, &session.recipe.objective);
        let of_output = match trained.contains(&spec.output) {
            true if is_plain(objective) && spec.output_bias.is_none() && backend.name == BackendName::Cpu => {
                Trained::weight_on_processor(asked(backend.precision))
            }
            true => Trained::Weight,
            false
                if spec.get(&spec.output).is_some_and(|output| adapted.sites.iter().any(|s| s == output.module())) =>
            {
                Trained::Added
            }
            false if backend.name == BackendName::Cpu => {
                let decoded = budget::kept(session, blueprint)?.kept() != Frozen::F32;
                Trained::nothing_on_processor(asked(backend.precision), decoded)
            }
            false => Trained::Nothing,
        };
        let plain = is_plain(objective);
        // The processor makes the gradient of logits in their place.
        let copies = match backend.name {
            BackendName::Cpu => 1 + usize::from(spec.output_softcap.is_some()),
            BackendName::Wgpu | BackendName::Cuda => 3,
        };
        let sizes = [rows * tokens, spec.hidden_size, spec.vocab_size];
        let loss = working::SPARE + working::loss(sizes, of_output, plain, copies);
        let hidden = 4 * (rows * tokens * spec.hidden_size) as u64;
        let parts: Vec<u64> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // What is there when the way back has come down to a stage, and what of it is computed again there.
        let activations = |stage: usize| match train.activation_checkpointing {
            false => kept[stage],
            true => {
                let inputs = parts.iter().take(stage.min(spec.blocks)).filter(|part| **part > 0).count() as u64;
                (inputs + 1) * hidden + if stage > 0 { parts[stage - 1] } else { kept[0] }
            }
        };
        let last = spec.blocks + 1;
        let mut moments = vec![Moment {
            gradients: gradients.before + if trained.contains(&spec.output) { gradients.stages[last] } else { 0 },
            activations: activations(last),
            working: loss,
        }];
        moments.extend((1..last).map(|stage| Moment {
            gradients: gradients.down_to(stage + 1),
            activations: activations(stage),
            working: block,
        }));
        // Gradients of micro-batches are summed, and parameters moved, one after the other.
        let (all, before) = (gradients.all, gradients.before);
        moments.push(Moment { gradients: all + before, activations: 0, working: working::SPARE + gradients.largest });
        moments.push(Moment {
            gradients: all,
            activations: 0,
            working: working::SPARE + working::update(gradients.largest),
        });
        Ok(Self { rows, tokens, flops: cost.flops * back, moments })
    }
}
