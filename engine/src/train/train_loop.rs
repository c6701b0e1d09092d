//! The train loop: one optimizer step after the other.

use super::{Event, Observer, Prepared, State, Stepper, Summary, checkpoint, finish, scale::LossScale};
use crate::{
    build::init::derive,
    evaluation::{Evaluation, evaluate_under},
    objective::{Files, Objective, Rewards},
    pipeline::{batches, total_steps},
    run::{Metrics, RunFolder, append_metrics, now, truncate_metrics},
    schedule::Curve,
};
use framework_base::{Error, Result};
use framework_executor::{Grads, How, Precision};
use framework_recipe::{Every, Split, Train};
use framework_text::data::{Batch, Batches, Epoch};
use std::time::Instant;

/// A run under way.
pub(super) struct TrainLoop<'a> {
    pub prepared: &'a Prepared,
    pub run: RunFolder,
    pub stepper: Stepper,
    pub state: State,
    pub total: u64,
    curve: Curve,
    objective: Objective<'a>,
    batches: Batches<'a>,
    /// The plan of the present epoch, and its number.
    epoch: (u64, Epoch),
    pub steps_per_epoch: u64,
    /// Seconds and tokens of the steps at the last line of metrics.
    logged: (f64, u64),
    /// The step after which answers were last sampled.
    pub sampled: Option<u64>,
    /// The lowest validation loss and its step, if its weights have been put back.
    pub loaded: Option<(f64, u64)>,
}

impl<'a> TrainLoop<'a> {
    /// At the beginning, or at the newest checkpoint that can be read if the run has one.
    pub fn new(prepared: &'a Prepared, run: RunFolder, tell: &mut dyn FnMut(String)) -> Result<Self> {
        let recipe = &prepared.session.recipe;
        let batches = batches(&prepared.corpus, recipe, prepared.network.padding(prepared.tokenizer.pad));
        let steps_per_epoch = batches.steps_per_epoch() as u64;
        let total = total_steps(&recipe.train, steps_per_epoch);
        let network = &prepared.network;
        let mut stepper = Stepper::new(prepared.session.optimizer()?, network)?;
        let curve = Curve::new(&recipe.train, stepper.learning_rate(), total)?;
        let fingerprint = prepared.fingerprint();
        let state = match checkpoint::load_newest(&run, &fingerprint, network, &mut stepper, tell)? {
            Some(state) => {
                // A run that was stopped between writing and pruning keeps no more than the recipe says, either.
                checkpoint::prune(&run, &state, recipe.train.keep_checkpoints)?;
                state
            }
            None => {
                let scaled = network.device().precision() == Precision::F16;
                State { fingerprint, scale: scaled.then(LossScale::default), ..State::default() }
            }
        };
        truncate_metrics(&run.metrics(), state.step)?;
        let objective = Objective::open(&prepared.for_objective(), Some(&Files::of(&run)), state.step > 0)?;
        let epoch = (0, batches.epoch(0));
        let logged = (state.seconds, state.seen);
        let (sampled, loaded) = (None, None);
        Ok(Self {
            prepared,
            run,
            stepper,
            state,
            total,
            curve,
            objective,
            batches,
            epoch,
            steps_per_epoch,
            logged,
            sampled,
            loaded,
        })
    }

    /// To the end; none if `stop` said so before, after a checkpoint was written.
    pub fn run(mut self, stop: &dyn Fn() -> bool, observe: Observer) -> Result<Option<Summary>> {
        observe(&Event::Begin { step: self.state.step, total: self.total });
        while !self.is_over() {
            self.advance(observe)?;
            if stop() && !self.is_over() {
                self.save_once()?;
                observe(&Event::Message(format!(
                    "stopped after step {} of {}, and saved; to go on: {}",
                    self.state.step,
                    self.total,
                    self.prepared.session.resume_command(&[])
                )));
                return Ok(None);
            }
        }
        finish::finish(self, observe).map(Some)
    }

    /// Whether there is no step to come.
    pub fn is_over(&self) -> bool {
        self.state.step >= self.total || self.state.stopped
    }

    /// One step, and the evaluation and the checkpoint that are due after it.
    pub fn advance(&mut self, observe: Observer) -> Result<()> {
        self.one_step(observe)?;
        let evaluated = self.due(self.train().eval_every) && self.evaluate(observe)?;
        if evaluated || self.due(self.train().save_every) {
            observe(&Event::Phase("saving a checkpoint"));
            self.save()?;
        }
        Ok(())
    }

    fn train(&self) -> &'a Train {
        &self.prepared.session.recipe.train
    }

    fn one_step(&mut self, observe: Observer) -> Result<()> {
        let (train, seed, step) = (self.train(), self.prepared.session.recipe.seed, self.state.step);
        let started = Instant::now();
        let (epoch, index) = (step / self.steps_per_epoch, step % self.steps_per_epoch);
        if self.epoch.0 != epoch {
            self.epoch = (epoch, self.batches.epoch(epoch));
        }
        let plan = self.epoch.1.step(index as usize);
        let mut micro: Vec<Batch> = plan.iter().map(|numbers| self.batches.batch(numbers)).collect();
        let objective = self.objective.step(Split::Train, &mut micro)?;
        let (supervised, total): (usize, _) = (micro.iter().map(Batch::supervised).sum(), objective.total());
        let scale = self.state.scale.map_or(1.0, |scale| scale.factor);
        let (mut loss, mut grads) = (0.0, Grads::default());
        for (i, batch) in micro.iter().enumerate() {
            let how = How {
                factor: scale / total,
                count: objective.count(batch),
                seed: derive(seed, &format!("dropout {step} {i}")),
                checkpointing: train.activation_checkpointing,
            };
            let network = &self.prepared.network;
            let (sum, part) = objective.of(batch, |objective| Ok(network.gradients_of(batch, objective, how)?))?;
            loss += sum;
            grads.merge(part)?;
        }
        if !loss.is_finite() {
            return Err(self.diverged(step, &format!("step {}: the loss is {loss}", step + 1)));
        }
        let rewards = objective.rewards();
        let rate = self.stepper.learning_rate() * self.curve.factor(step);
        let moved = self.stepper.step(&self.prepared.network, (grads, scale), step + 1, rate, train.max_grad_norm)?;
        let norm = self.moved(moved, observe)?;
        let mean = loss / total;
        self.state.first_loss.get_or_insert(mean);
        self.state.last_loss = Some(mean);
        self.state.step += 1;
        self.state.tokens += supervised as u64;
        self.state.pending_loss += loss;
        self.state.pending_count += total;
        self.state.pending_rewards.add(&rewards);
        self.state.seconds += started.elapsed().as_secs_f64();
        self.state.seen += micro.iter().map(|b| b.tokens() as u64).sum::<u64>();
        observe(&Event::Step { step: self.state.step, loss: mean });
        if self.state.step.is_multiple_of(train.log_every.max(1)) || self.state.step == self.total {
            self.log(rate, norm, observe)?;
        }
        Ok(())
    }

    /// The norm of the step's gradients; with those that overflowed 16 bits nothing has moved.
    fn moved(&mut self, moved: Result<f64, f64>, observe: Observer) -> Result<f64> {
        let step = self.state.step + 1;
        match moved {
            Ok(norm) => {
                self.state.scale.iter_mut().for_each(LossScale::moved);
                Ok(norm)
            }
            Err(norm) if self.state.scale.as_mut().is_some_and(LossScale::overflowed) => {
                let scale = self.state.scale.map_or(1.0, |scale| scale.factor);
                observe(&Event::Message(format!(
                    "step {step}: gradients are too large for 16 bits; nothing is changed, and the loss is scaled by {scale} \
                     from here on"
                )));
                Ok(norm)
            }
            Err(norm) => Err(self.diverged(self.state.step, &format!("step {step}: the gradient is {norm}"))),
        }
    }

    fn log(&mut self, rate: f64, norm: f64, observe: Observer) -> Result<()> {
        let metrics = Metrics {
            loss: Some(self.state.pending_loss / self.state.pending_count),
            learning_rate: Some(rate),
            grad_norm: Some(norm),
            tokens_per_second: Some(self.speed()),
            metrics: self.state.pending_rewards.metrics(),
            ..self.metrics()
        };
        (self.state.pending_loss, self.state.pending_count) = (0.0, 0.0);
        self.state.pending_rewards = Rewards::default();
        append_metrics(&self.run.metrics(), &metrics)?;
        observe(&Event::Metrics(&metrics));
        Ok(())
    }

    pub fn metrics(&self) -> Metrics {
        let epoch = self.state.step as f64 / self.steps_per_epoch as f64;
        Metrics { step: self.state.step, epoch, time: Some(now()), ..Metrics::default() }
    }

    /// Evaluates on the validation data, if there is any. True if this is the best so far and has to be kept.
    fn evaluate(&mut self, observe: Observer) -> Result<bool> {
        let best = self.evaluate_loss(observe)?;
        finish::try_sample(self, observe);
        Ok(best)
    }

    fn evaluate_loss(&mut self, observe: Observer) -> Result<bool> {
        let train = self.train();
        observe(&Event::Phase("evaluating"));
        let Some(evaluation) = evaluate_under(&self.objective, train.batch_size)? else { return Ok(false) };
        let value = evaluation.value(train.metric);
        let best = self.state.evaluated(value, train.metric, train.early_stopping);
        let Evaluation { loss, perplexity, accuracy, rewards, .. } = evaluation;
        let mut scores = finish::try_score(self, observe);
        scores.extend(rewards);
        let metrics =
            Metrics { eval_loss: Some(loss), perplexity, eval_accuracy: accuracy, metrics: scores, ..self.metrics() };
        append_metrics(&self.run.metrics(), &metrics)?;
        observe(&Event::Metrics(&metrics));
        if !loss.is_finite() {
            let step = self.state.step;
            observe(&Event::Message(format!("step {step}: the validation loss is {loss}, which counts as no best")));
        }
        Ok(best && train.load_best)
    }

    /// Writes a checkpoint of this step unless there is one.
    pub fn save_once(&self) -> Result<()> {
        if self.run.checkpoint_steps().contains(&self.state.step) { Ok(()) } else { self.save() }
    }

    fn save(&self) -> Result<()> {
        if let Some(name) = checkpoint::spoiled(&self.prepared.network)? {
            let step = self.state.step;
            return Err(self.diverged(step, &format!("step {step}: `{name}` has numbers that are not finite")));
        }
        let keep = self.train().keep_checkpoints;
        checkpoint::save(&self.run, &self.prepared.network, &self.stepper, &self.state, keep)
    }

    /// Whether something that is done every so often is due after this step.
    fn due(&self, every: Every) -> bool {
        let steps = every.steps(self.total, self.steps_per_epoch);
        self.state.stopped || self.state.step == self.total || self.state.step.is_multiple_of(steps)
    }

    /// Tokens per second since the last line of metrics.
    fn speed(&mut self) -> f64 {
        let (seconds, tokens) = (self.state.seconds - self.logged.0, self.state.seen - self.logged.1);
        self.logged = (self.state.seconds, self.state.seen);
        tokens as f64 / seconds.max(1e-9)
    }

    /// What to do after a divergence that the parameters of `step` led to. A checkpoint of that step leads to the same
    /// again, whatever the learning rate, so that it is set aside.
    fn diverged(&self, step: u64, what: &str) -> Error {
        let mut steps = self.run.checkpoint_steps();
        if steps.contains(&step)
            && let Err(e) = checkpoint::set_aside(&self.run, step, "diverged")
        {
            return e;
        }
        steps.retain(|&saved| saved != step);
        let rate = format!("optimizer.learning_rate={:?}", self.stepper.learning_rate() / 10.0);
        let session = &self.prepared.session;
        let advice = match steps.last() {
            Some(saved) => format!(
                "To go on from step {saved} with a lower learning rate: {}\n    To go further back, remove the newest \
                 folders in {} first.",
                session.resume_command(&[&rate]),
                self.run.checkpoints().display()
            ),
            None => format!(
                "There is no earlier checkpoint. To begin anew with a lower learning rate: {}",
                session.train_command(&[&rate])
            ),
        };
        Error::failed(format!("{what}\n    {advice}"))
    }
}
