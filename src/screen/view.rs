//! What the screen shows of a run, from its events.

use framework_engine::{run::Metrics, train::Event};

/// A curve has no more points than this; neighbours become one, at their mean.
const POINTS: usize = 1000;

/// Losses by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Step and loss.
    pub points: Vec<(f64, f64)>,
    /// Steps that a point is the mean of.
    each: u64,
    /// Sum and count of those that are no point yet.
    open: (f64, u64),
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), each: 1, open: (0.0, 0) }
    }
}

impl Curve {
    /// Adds a step. What is not finite cannot be drawn.
    pub fn push(&mut self, step: u64, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        self.open = (self.open.0 + loss, self.open.1 + 1);
        if self.open.1 >= self.each {
            self.points.push((step as f64, self.open.0 / self.open.1 as f64));
            self.open = (0.0, 0);
        }
        if self.points.len() > POINTS {
            let mean = |pair: &[(f64, f64)]| {
                let loss = pair.iter().map(|point| point.1).sum::<f64>() / pair.len() as f64;
                (pair[pair.len() - 1].0, loss)
            };
            self.points = self.points.chunks(2).map(mean).collect();
            self.each *= 2;
        }
    }
}

/// What the screen shows of a run.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The run's name.
    pub name: String,
    /// Steps in all.
    pub total: u64,
    /// The step that this session has begun after.
    pub begun: u64,
    /// Steps done.
    pub step: u64,
    /// Training losses.
    pub losses: Curve,
    /// Steps and validation losses.
    pub evaluations: Vec<(f64, f64)>,
    /// The last line of metrics of training.
    pub trained: Metrics,
    /// The last evaluation.
    pub evaluated: Option<Metrics>,
    /// What takes time now, if it is no step.
    pub phase: Option<&'static str>,
    /// Sampled answers, and the step after which they were sampled.
    pub samples: Option<(u64, Vec<(String, String)>)>,
    /// Whether the run ends after this step.
    pub stopping: bool,
    /// Whether there is nothing more to come.
    pub ended: bool,
}

impl View {
    /// Of a run that begins, or goes on after these lines of metrics.
    pub fn new(name: &str, earlier: &[Metrics]) -> Self {
        let mut view = Self { name: name.to_owned(), ..Self::default() };
        earlier.iter().for_each(|line| {
            view.losses.push(line.step, line.loss.unwrap_or(f64::NAN));
            view.metrics(line);
        });
        view
    }

    /// Takes up an event.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::Begin { step, total } => {
                (self.begun, self.step, self.total) = (*step, *step, *total);
                // A run that was killed goes on from before its last lines, which it writes again.
                self.losses.points.retain(|point| point.0 <= *step as f64);
                self.evaluations.retain(|point| point.0 <= *step as f64);
            }
            Event::Phase(what) => self.phase = Some(what),
            Event::Step { step, loss } => {
                (self.step, self.phase) = (*step, None);
                self.losses.push(*step, *loss);
            }
            Event::Metrics(metrics) => self.metrics(metrics),
            Event::Samples { step, answers } => self.samples = Some((*step, answers.to_vec())),
            Event::Message(_) | Event::End(_) => {}
        }
    }

    fn metrics(&mut self, metrics: &Metrics) {
        match metrics.eval_loss {
            Some(loss) => {
                if loss.is_finite() {
                    self.evaluations.push((metrics.step as f64, loss));
                }
                self.evaluated = Some(metrics.clone());
            }
            None => self.trained = metrics.clone(),
        }
    }

    /// The lowest validation loss, and its step.
    pub fn best(&self) -> Option<(f64, f64)> {
        self.evaluations.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }
}
