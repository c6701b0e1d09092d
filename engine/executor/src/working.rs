//! Memory that operators take while they work, in bytes, for plans.

use super::{
    Device, Precision, attention,
    kernels::{head, trained_head},
    loss,
};

/// What products of matrices pack, and freed memory that the allocator has not given back yet.
pub const SPARE: u64 = 24 << 20;

/// Attention: scores, weights and slopes of some queries on each core, for so many heads of all rows.
pub fn attention(heads: usize, tokens: usize) -> u64 {
    attention::working(heads, tokens)
}

/// What of the vocabulary projection is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// Nothing.
    Nothing,
    /// Nothing, where rows lie in the lanes of vectors.
    NothingInLanes {
        /// Whether the weight is kept in another format than 32 bits.
        decoded: bool,
    },
    /// What an adapter adds.
    Added,
    /// Its weight.
    Weight,
    /// Its weight alone, where logits are computed twice instead of held.
    WeightInPanels,
}

impl Trained {
    /// Nothing, on the processor.
    pub fn nothing_on_processor(precision: Precision, decoded: bool) -> Self {
        match head::in_lanes(Device::cpu().with(precision).half) {
            true => Self::NothingInLanes { decoded },
            false => Self::Nothing,
        }
    }

    /// Of a projection without bias whose weight is trained, on the processor.
    pub fn weight_on_processor(precision: Precision) -> Self {
        match trained_head::pays(Device::cpu().with(precision).half) {
            true => Self::WeightInPanels,
            false => Self::Weight,
        }
    }
}

/// The loss: logits of some rows at a time and what becomes of them, of which there are so many `copies`, and the gradients of
/// the hidden states. `plain`: it is a function of cross-entropies.
pub fn loss([rows, width, vocab]: [usize; 3], trained: Trained, plain: bool, copies: usize) -> u64 {
    let most = loss::at_most(plain);
    let logits = match trained {
        // Of the student and of the teacher, and what becomes of them.
        _ if !plain => 6 * (rows * vocab).min(most),
        // Logits of a panel, and the panel's weights where they are decoded.
        Trained::Nothing => 2 * head::TILE.max(rows * head::LEAST),
        // The states and their gradients in the order of lanes, and a decoded panel.
        Trained::NothingInLanes { decoded } => {
            2 * rows * width + if decoded { head::DECODED.min(vocab * width) } else { 0 }
        }
        // Those of a panel, packed in two orders, and what of the hidden states is packed.
        Trained::WeightInPanels => 3 * head::TILE.max(rows * head::LEAST) + 2 * rows * width,
        _ => copies * (rows * vocab).min(most),
    };
    // The weight's gradient is a sum over parts.
    let parts = trained == Trained::Weight && rows * vocab > most;
    4 * (logits + 3 * rows * width + if parts { vocab * width } else { 0 }) as u64
}

/// The update of a parameter of so many bytes.
pub fn update(parameter: u64) -> u64 {
    3 * parameter
}
