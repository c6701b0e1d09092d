//! The batches of a run, and how many steps they make.

use framework_recipe::{Recipe, Rows, Train};
use framework_text::data::{Batches, Corpus, Order, alone, pack};

/// The batches of a run.
pub(crate) fn batches<'a>(corpus: &'a Corpus, recipe: &Recipe, pad: u32) -> Batches<'a> {
    let train = &recipe.train;
    let order = match (train.group_by_length, train.shuffle) {
        (true, _) => Order::ByLength,
        (false, true) => Order::Shuffled,
        (false, false) => Order::Fixed,
    };
    let pairs = recipe.objective.name.rows() == Rows::Pairs;
    let of_group = if pairs { 2 } else { 1 };
    let (rows, together) = match train.packing {
        true => (pack(&corpus.train, of_group, recipe.prompt.max_length), 1),
        false => (alone(&corpus.train), of_group),
    };
    Batches {
        sequences: &corpus.train,
        weights: &corpus.train_weights,
        rows,
        together,
        batch_size: train.batch_size,
        accumulation: train.gradient_accumulation,
        order,
        seed: recipe.seed,
        pad,
    }
}

/// Optimizer steps of a run: `max_steps` or `epochs`, whichever ends first; one epoch if neither is given.
pub(crate) fn total_steps(train: &Train, steps_per_epoch: u64) -> u64 {
    let by_epochs = |epochs: f64| (epochs * steps_per_epoch as f64).ceil() as u64;
    match (train.epochs, train.max_steps) {
        (Some(epochs), Some(steps)) => by_epochs(epochs).min(steps),
        (Some(epochs), None) => by_epochs(epochs),
        (None, Some(steps)) => steps,
        (None, None) => steps_per_epoch,
    }
}
