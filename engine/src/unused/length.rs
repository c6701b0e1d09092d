//! Settings that change nothing in a run of this length.

use framework_base::{Error, Problem, Result};
use framework_recipe::{Every, Metric, Train};

/// Sentences about settings of `[train]` without effect. The run has so many steps in all and in an epoch, and so many
/// sequences to evaluate on.
pub(crate) fn idle(train: &Train, steps: u64, per_epoch: u64, validation: usize) -> Vec<String> {
    let mut all = Vec::new();
    let warmup = train.warmup(steps);
    if warmup > 0 && warmup >= steps {
        all.push(format!(
            "`train.warmup_steps` = {warmup}: the run has {steps} steps, so that the learning rate never reaches \
             `optimizer.learning_rate`; `train.warmup_ratio` fits every length"
        ));
    }
    let every = [("eval_every", train.eval_every), ("save_every", train.save_every)];
    for (key, n) in
        every.into_iter().filter_map(|(key, every)| if let Every::Steps(n) = every { Some((key, n)) } else { None })
    {
        if n > steps && (key == "save_every" || validation > 0) {
            all.push(format!("`train.{key}` = {n}: the run has {steps} steps, so that it happens only at the end"));
        }
    }
    let evaluations = steps.div_ceil(train.eval_every.steps(steps, per_epoch));
    if train.metric != Metric::default() && !train.load_best && train.early_stopping.is_none() {
        all.push("`train.metric` has no effect without `train.load_best` or `train.early_stopping`".to_owned());
    }
    if train.load_best && validation > 0 && evaluations < 2 {
        all.push("`train.load_best` has no effect: the run is evaluated only once, at the end".to_owned());
    }
    if let Some(early) = train.early_stopping.filter(|early| early.patience + 1 >= evaluations) {
        all.push(format!(
            "`train.early_stopping` has no effect: with patience {}, the first of the run's {evaluations} evaluations \
             that could stop it is the last or later",
            early.patience
        ));
    }
    all
}

/// Refuses what compares by validation data where there are none after all.
pub(crate) fn require_validation(train: &Train, validation: usize) -> Result<()> {
    let key = match (train.load_best, train.early_stopping) {
        (true, _) => "train.load_best",
        (false, Some(_)) => "train.early_stopping",
        (false, None) => return Ok(()),
    };
    if validation > 0 {
        return Ok(());
    }
    let message = "there is no validation data to compare by: no example was held back, or none was kept";
    let help = "raise validation.fraction, or add a [[dataset]] with split = \"validation\"";
    Err(Error::invalid(Problem::new(message).key(key).help(help)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_recipe::EarlyStopping;

    #[test]
    fn what_has_an_effect_is_not_named() {
        let stop = |patience| Some(EarlyStopping { patience, min_delta: 0.0 });
        let train = Train { warmup_steps: 100, load_best: true, early_stopping: stop(3), ..Train::default() };
        let every = |n| Train { eval_every: Every::Steps(n), ..train.clone() };
        let count = |train: &Train, steps| idle(train, steps, 10, 5).len();
        assert_eq!(count(&every(500), 6), 4); // warm-up, eval_every, load_best, early_stopping
        assert_eq!(count(&every(20), 101), 0); // at 20, 40, 60, 80, 100 and 101
        assert_eq!(count(&every(26), 101), 1); // at 26, 52, 78 and 101: patience 3 ends at the last
        assert_eq!(count(&train, 101), 0);
        assert_eq!(count(&Train { eval_every: Every::Share(0.19), ..train.clone() }, 101), 0); // each 20 steps
        let metric = Train { metric: Metric::Accuracy, ..Train::default() };
        assert_eq!((idle(&metric, 9, 9, 5).len(), idle(&Train { load_best: true, ..metric }, 9, 3, 5).len()), (1, 0));
        assert_eq!(idle(&train, 100, 10, 5).len(), 1);
        assert!(idle(&Train::default(), 1, 1, 0).is_empty());
    }

    #[test]
    fn comparing_needs_validation_data() {
        let train = Train { load_best: true, ..Train::default() };
        let e = require_validation(&train, 0).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().starts_with("`train.load_best`: there is no validation data"));
        assert!(require_validation(&train, 1).is_ok() && require_validation(&Train::default(), 0).is_ok());
    }
}
