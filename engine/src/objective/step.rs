//! An objective for the batches of an optimizer step, or of an evaluation.

use super::{IGNORE, Needs, Objective, Rewards, executor, judged::Judged, pairs::Pairs};
use framework_base::{Batch, Result, Sequence};
use framework_recipe::{Rows, Split};
use framework_text::data::Batch as Put;

/// What the batches of a step come to together.
pub(crate) struct Step<'a> {
    objective: &'a Objective<'a>,
    kind: Kind<'a>,
    total: f64,
}

enum Kind<'a> {
    Tokens,
    Pairs(Pairs<'a>),
    Judged(Judged<'a>),
}

impl Objective<'_> {
    /// Puts what each batch of a step lacks, and sums up what they count.
    pub fn step<'a>(&'a self, set: Split, batches: &mut [Batch]) -> Result<Step<'a>> {
        let rows = self.options.name.rows();
        if self.tasks {
            batches.iter_mut().for_each(with_tasks);
        }
        let total = batches.iter().map(|batch| count(rows, batch)).sum();
        let known = self.known(set);
        let kind = match rows {
            Rows::Answers => Kind::Tokens,
            Rows::Pairs => {
                let labels = |batch: &Batch| batch.labels_by_sequence().into_iter().step_by(2).sum::<usize>();
                let labels = batches.iter().map(labels).sum();
                let pairs = Pairs::new(self.options, known.map(|set| set.known.as_slice()), total, labels);
                Kind::Pairs(if self.tasks { pairs.with_tasks(self.sequences(set)) } else { pairs })
            }
            Rows::Judged => {
                let reference = known.map_or(&[][..], |set| set.known.as_slice());
                Kind::Judged(Judged::new(self.options, reference, self.apart(set, batches)?))
            }
        };
        Ok(Step { objective: self, kind, total })
    }

    /// How far the network is from its reference on average, estimated from other tasks' answers.
    fn apart(&self, set: Split, batches: &[Batch]) -> Result<f64> {
        let Some(known) = self.known(set) else { return Ok(0.0) };
        let (mut sum, mut all) = (0.0, 0);
        for batch in batches {
            let sequences: Vec<&Sequence> = batch.numbers.iter().map(|number| &known.mismatched.0[*number]).collect();
            let losses = self.network.label_losses(&Put::new(sequences, self.network.padding(self.pad)), false)?;
            sum -= losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
            sum -= batch.numbers.iter().map(|number| f64::from(known.mismatched.1[*number])).sum::<f64>();
            all += batch.numbers.len();
        }
        Ok(sum / all.max(1) as f64)
    }
}

impl Step<'_> {
    /// What the batches count together: labels with their weights, pairs, or answers. Losses are divided by it.
    pub fn total(&self) -> f64 {
        if self.total > 0.0 { self.total } else { 1.0 }
    }

    /// What a batch counts.
    pub fn count(&self, batch: &Batch) -> f64 {
        count(self.objective.options.name.rows(), batch)
    }

    /// Calls `work` with the objective of a batch.
    pub fn of<T>(&self, batch: &Batch, work: impl FnOnce(&executor::Objective) -> Result<T>) -> Result<T> {
        use executor::{Objective::*, Teacher};
        let options = self.objective.options;
        match (&self.kind, &self.objective.needs) {
            (Kind::Pairs(pairs), _) => work(&Likelihoods(pairs)),
            (Kind::Judged(judged), _) => work(&Likelihoods(judged)),
            (Kind::Tokens, Needs::Nothing(tokens)) => work(&Tokens(*tokens)),
            (Kind::Tokens, needs) => {
                let told = match needs {
                    Needs::Told(told) => told.of(batch)?,
                    _ => Default::default(),
                };
                let teacher = match needs {
                    Needs::Teacher { network, bare, divergence } => {
                        Teacher::Network { network, bare: *bare, divergence: *divergence }
                    }
                    _ => Teacher::Likeliest(&told),
                };
                let (share, temperature) = (options.alpha.unwrap_or(0.5), options.temperature.unwrap_or(1.0));
                work(&Distillation { share, temperature, teacher })
            }
        }
    }

    /// Rewards of the batches that have been worked on.
    pub fn rewards(&self) -> Rewards {
        match &self.kind {
            Kind::Tokens => Rewards::default(),
            Kind::Pairs(pairs) => pairs.rewards(),
            Kind::Judged(judged) => judged.rewards(),
        }
    }
}

fn count(rows: Rows, batch: &Batch) -> f64 {
    let labels = batch.labels_by_sequence();
    match rows {
        Rows::Answers if batch.weights.is_empty() => labels.iter().sum::<usize>() as f64,
        Rows::Answers => batch.weights.iter().zip(labels).map(|(weight, n)| f64::from(*weight) * n as f64).sum(),
        Rows::Pairs => (labels.len() / 2) as f64,
        Rows::Judged => labels.len() as f64,
    }
}

/// Gives the tokens of chosen sequences' tasks labels, but for the first.
fn with_tasks(batch: &mut Batch) {
    let Batch { ids, labels, segments, time, .. } = batch;
    let mut sequence = 0;
    for (row, lengths) in segments.iter().enumerate() {
        let mut at = row * *time;
        for length in lengths {
            if sequence % 2 == 0 {
                let task = labels[at..at + length].iter().position(|label| *label != IGNORE).unwrap_or(0);
                (at + 1..at + task).for_each(|token| labels[token] = ids[token] as i32);
            }
            (sequence, at) = (sequence + 1, at + length);
        }
    }
}
