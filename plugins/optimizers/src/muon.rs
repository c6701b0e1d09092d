//! `muon`: momentum made orthogonal.

use crate::{adamw::AdamW, check, decay::Decay};
use framework_sdk::prelude::*;

options! {
    /// Muon (Jordan et al., 2024, <https://kellerjordan.github.io/posts/muon/>), as `torch.optim.Muon`, but in 32 bits
    /// throughout.
    ///
    /// For the gradient g of a matrix with learning rate γ, weight decay λ and momentum μ, NS stands for five steps of a
    /// Newton-Schulz iteration that brings all singular values near 1:
    ///
    /// ```text
    /// m ← μm + (1 − μ)g
    /// u ← NS((1 − μ)g + μm)                              without Nesterov: NS(m)
    /// θ ← θ − γλθ − γ · adjustment · u
    /// ```
    ///
    /// AdamW updates the embeddings, the vocabulary projection and all parameters that do not have two dimensions.
    #[serde(default)]
    pub struct Muon {
        /// The learning rate of matrices at the schedule's peak.
        learning_rate: f64,
        /// Decay rate of the running average of the gradient.
        momentum: f64,
        /// Whether to use Nesterov momentum.
        nesterov: bool,
        /// Decoupled weight decay: each step subtracts this share of a parameter, times the learning rate.
        weight_decay: f64,
        /// Which of the parameters that AdamW updates weight decay applies to.
        decay: Decay,
        /// Factor of the update that depends on the shape `[a, b]` of a matrix.
        adjustment: Adjustment,
        /// The learning rate of the parameters that AdamW updates. Default: 3e-4 if `adjustment` is `original`,
        /// otherwise `learning_rate`.
        adamw_learning_rate: Option<f64>,
    }
}

options! {
    /// Factor of the update that depends on the shape `[a, b]` of a matrix.
    #[derive(Copy)]
    #[serde(rename_all = "kebab-case")]
    pub enum Adjustment {
        /// √max(1, a / b).
        Original,
        /// 0.2 √max(a, b), which makes updates as large as AdamW's (Liu et al., 2025, arXiv:2502.16982).
        MatchRmsAdamw,
    }
}

impl Default for Muon {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            decay: Decay::Matrices,
            adjustment: Adjustment::Original,
            adamw_learning_rate: None,
        }
    }
}

/// Coefficients of the iteration `x ← ax + b(xxᵀ)x + c(xxᵀ)²x`.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
const STEPS: usize = 5;

/// A matrix with the same singular vectors, whose singular values are near 1.
fn orthogonal(x: Tensor) -> Tensor {
    let tall = x.dim(0) > x.dim(1);
    let x = if tall { x.swap_dims(0, 1) } else { x };
    let norm = (&x * &x).sum(0).sum(1).sqrt().clamp(1e-7, f64::from(f32::MAX));
    let [a, b, c] = COEFFICIENTS;
    let step = |x: Tensor, _| {
        let gram = x.clone().matmul(x.clone().swap_dims(0, 1));
        let update = &gram * b + gram.clone().matmul(gram) * c;
        &x * a + update.matmul(x)
    };
    let x = (0..STEPS).fold(x / norm, step);
    if tall { x.swap_dims(0, 1) } else { x }
}

impl Muon {
    fn is_matrix(param: &Param) -> bool {
        param.shape.len() == 2 && !matches!(param.role, Role::Embedding | Role::Output)
    }

    /// What moves the rest.
    fn adamw(&self) -> AdamW {
        let learning_rate = self.adamw_learning_rate.unwrap_or(match self.adjustment {
            Adjustment::Original => 3e-4,
            Adjustment::MatchRmsAdamw => self.learning_rate,
        });
        AdamW { learning_rate, weight_decay: self.weight_decay, decay: self.decay, ..AdamW::default() }
    }

    fn adjustment(&self, shape: &[usize]) -> f64 {
        let [a, b] = [shape[0] as f64, shape[1] as f64];
        match self.adjustment {
            Adjustment::Original => (a / b).max(1.0).sqrt(),
            Adjustment::MatchRmsAdamw => 0.2 * a.max(b).sqrt(),
        }
    }
}

impl Optimizer for Muon {
    fn validate(&self) -> Result<()> {
        check::positive("learning_rate", self.learning_rate)?;
        check::below_one("momentum", self.momentum)?;
        check::not_negative("weight_decay", self.weight_decay)?;
        self.adamw_learning_rate.map_or(Ok(()), |rate| check::positive("adamw_learning_rate", rate))
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn state(&self, param: &Param) -> Vec<StateSpec> {
        if Self::is_matrix(param) { vec![StateSpec::like("momentum_buffer", param)] } else { self.adamw().state(param) }
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, mut state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        if !Self::is_matrix(update.param) {
            let (mut update, adamw) = (update.clone(), self.adamw());
            update.learning_rate *= adamw.learning_rate / self.learning_rate;
            return adamw.update(&update, param, grad, state);
        }
        let (buffer, rest) = (state.pop().expect("the state declared above"), 1.0 - self.momentum);
        let buffer = buffer * self.momentum + &grad * rest;
        let direction = if self.nesterov { grad * rest + &buffer * self.momentum } else { buffer.clone() };
        let rate = update.learning_rate;
        let param = param * (1.0 - rate * self.weight_decay);
        (param - orthogonal(direction) * (rate * self.adjustment(&update.param.shape)), vec![buffer])
    }
}

register!(optimizer "muon" => Muon, example = r#"
learning_rate = 0.02
weight_decay = 0.01
"#);

#[cfg(test)]
mod tests {
    use crate::scalar::refused;
    use framework_sdk::{serde_json::json, test};

    #[test]
    fn keeps_shapes() {
        test::optimizer("muon", "").unwrap();
        test::optimizer("muon", "nesterov = false\nadjustment = \"match-rms-adamw\"").unwrap();
        assert!(refused("muon", &json!({"momentum": 1.0})).ends_with("less than 1, not 1"));
    }
}
