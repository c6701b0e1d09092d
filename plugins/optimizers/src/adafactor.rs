//! `adafactor`: adaptive steps with sublinear memory.

use crate::{check, decay::Decay};
use framework_sdk::prelude::*;

options! {
    /// Adafactor (Shazeer and Stern, 2018, arXiv:1804.04235), as `transformers.Adafactor`.
    ///
    /// For each matrix, only the row means R and the column means C of the running average of squared gradients are
    /// kept. For the gradient g at step t, with d = `clip_threshold`:
    ///
    /// ```text
    /// β ← 1 − t^decay_rate
    /// R ← βR + (1 − β) mean of rows of (g² + ε₁)         C likewise, of columns
    /// u ← g / √(R C / mean(R))                           of a vector: g / √V
    /// u ← u / max(1, rms(u) / d)
    /// θ ← θ − γu
    /// ```
    ///
    /// Weight decay is decoupled. The defaults are those of transformers' Trainer: a fixed learning rate,
    /// `scale_parameter=False` and `relative_step=False`.
    #[serde(default)]
    pub struct Adafactor {
        /// The learning rate γ at the schedule's peak. Default: 1e-3; with `relative_step` it cannot be set.
        learning_rate: Option<f64>,
        /// Two constants: one that is added to squared gradients, and the lower bound of a parameter's size for
        /// `scale_parameter`.
        epsilon: [f64; 2],
        /// Upper bound of the root mean square of an update; larger updates are scaled down to it.
        clip_threshold: f64,
        /// Exponent of the decay of the running average: at step `t`, its decay rate is `1 - t^decay_rate`.
        decay_rate: f64,
        /// Decay rate of a running average of the updates, which takes as much memory as the parameter. Default: no
        /// average.
        beta1: Option<f64>,
        /// Decoupled weight decay: each step subtracts this share of a parameter, times the learning rate.
        weight_decay: f64,
        /// Which parameters weight decay applies to.
        decay: Decay,
        /// Whether to multiply the learning rate by the parameter's root mean square.
        scale_parameter: bool,
        /// Whether to replace the learning rate by min(0.01, 1 / √t) at step t, times the factor of `train.schedule`.
        relative_step: bool,
    }
}

impl Default for Adafactor {
    fn default() -> Self {
        Self {
            learning_rate: None,
            epsilon: [1e-30, 1e-3],
            clip_threshold: 1.0,
            decay_rate: -0.8,
            beta1: None,
            weight_decay: 0.0,
            decay: Decay::Matrices,
            scale_parameter: false,
            relative_step: false,
        }
    }
}

/// The largest number of 32 bits, for clamping from below.
const MOST: f64 = f32::MAX as f64;

/// The root mean square, `[1]`.
fn rms(x: &Tensor) -> Tensor {
    let flat = x.clone().reshape([-1]);
    (flat.clone() * flat).mean(0).sqrt()
}

impl Adafactor {
    /// The divisor's reciprocal, and the averages that it is made of.
    fn scale(&self, step: u64, grad: &Tensor, averages: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let beta = 1.0 - (step as f64).powf(self.decay_rate);
        let squares = grad * grad + self.epsilon[0];
        let moved = |average: Tensor, now: Tensor| average * beta + now * (1.0 - beta);
        let mut averages = averages.into_iter();
        let first = averages.next().expect("the states declared below");
        let Some(columns) = averages.next() else {
            let average = moved(first, squares);
            return (average.clone().sqrt().recip(), vec![average]);
        };
        let rows = moved(first, squares.clone().mean(-1));
        let columns = moved(columns, squares.mean(-2));
        let of_rows = (rows.clone() / rows.clone().mean(-2)).sqrt().recip();
        (of_rows * columns.clone().sqrt().recip(), vec![rows, columns])
    }
}

impl Optimizer for Adafactor {
    fn validate(&self) -> Result<()> {
        match (self.learning_rate, self.relative_step) {
            (Some(_), true) => {
                let e = PluginError::option("learning_rate", "cannot be set together with `relative_step`");
                return Err(e.help("`relative_step` decides on the learning rate; remove one of the two"));
            }
            (Some(rate), false) => check::positive("learning_rate", rate)?,
            (None, _) => {}
        }
        self.epsilon.iter().try_for_each(|&epsilon| check::positive("epsilon", epsilon))?;
        check::positive("clip_threshold", self.clip_threshold)?;
        if !(-1.0..0.0).contains(&self.decay_rate) {
            let message = format!("must be at least -1 and less than 0, not {}", self.decay_rate);
            return Err(PluginError::option("decay_rate", message));
        }
        self.beta1.map_or(Ok(()), |beta| check::below_one("beta1", beta))?;
        check::not_negative("weight_decay", self.weight_decay)
    }

    fn learning_rate(&self) -> f64 {
        if self.relative_step { 1.0 } else { self.learning_rate.unwrap_or(1e-3) }
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        let shape = &param.shape;
        let mut all = match shape.len() {
            0 | 1 => vec![StateSpec::like("exp_avg_sq", param)],
            n => {
                let without =
                    |dim: usize| shape.iter().enumerate().map(move |(i, &size)| if i == dim { 1 } else { size });
                let [rows, columns] = [n - 1, n - 2].map(|dim| without(dim).collect::<Vec<_>>());
                vec![StateSpec::new("exp_avg_sq_row", &rows), StateSpec::new("exp_avg_sq_col", &columns)]
            }
        };
        all.extend(self.beta1.map(|_| StateSpec::like("exp_avg", param)));
        all
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, mut state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let relative = if self.relative_step { (1.0 / (update.step as f64).sqrt()).min(1e-2) } else { 1.0 };
        let rate = update.learning_rate * relative;
        // A number's worth of tensor, where the parameter's size takes part.
        let size = self.scale_parameter.then(|| rms(&param).clamp(self.epsilon[1], MOST));
        let average = self.beta1.and_then(|beta| state.pop().map(|average| (beta, average)));
        let (scale, mut state) = self.scale(update.step, &grad, state);
        let step = scale * grad;
        let cut = (rms(&step) * (1.0 / self.clip_threshold)).clamp(1.0, MOST);
        let mut step = step / cut * rate;
        if let Some(size) = &size {
            step = step * size;
        }
        if let Some((beta, average)) = average {
            step = average * beta + step * (1.0 - beta);
            state.push(step.clone());
        }
        let param = match size {
            None => self.decay.shrunk(param, self.weight_decay * rate, update.param),
            Some(size) if self.decay.applies(update.param) && self.weight_decay > 0.0 => {
                let share = size * (self.weight_decay * rate);
                &param - &param * share
            }
            Some(_) => param,
        };
        (param - step, state)
    }
}

register!(optimizer "adafactor" => Adafactor, example = r#"
learning_rate = 1e-3
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::refused;
    use framework_sdk::test;

    #[test]
    fn keeps_rows_and_columns() {
        test::optimizer("adafactor", "").unwrap();
        test::optimizer("adafactor", "beta1 = 0.9\nrelative_step = true\nscale_parameter = true").unwrap();
        let param = Param::new("w", &[3, 5, 7], Init::Zeros, Role::Linear);
        let shapes: Vec<_> = Adafactor::default().state(&param).into_iter().map(|state| state.shape).collect();
        assert_eq!(shapes, [[3, 5, 1], [3, 1, 7]]);
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let e = refused("adafactor", &json!({"learning_rate": 1e-3, "relative_step": true}));
        assert_eq!(e, "`learning_rate` cannot be set together with `relative_step`");
        assert!(refused("adafactor", &json!({"decay_rate": 0.8})).contains("less than 0, not 0.8"));
    }
}
