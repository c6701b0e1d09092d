//! How far two distributions over the vocabulary are from each other.

use burn::tensor::{Tensor as Burn, activation::log_softmax};

/// A measure of how far a student `s` is from a teacher `t`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divergence {
    /// `KL(t ‖ s)` (Hinton et al., 2015, arXiv:1503.02531): the student covers all that the teacher does.
    Forward,
    /// `KL(s ‖ t)` (Gu et al., 2023, arXiv:2306.08543): the student does what the teacher does most.
    Reverse,
    /// `β · KL(t ‖ m) + (1 - β) · KL(s ‖ m)` with `m = β t + (1 - β) s` (Agarwal et al., 2023, arXiv:2306.13649).
    JensenShannon {
        /// `β`, between 0 and 1.
        beta: f64,
    },
}

impl Divergence {
    /// Divergences `[n, 1]` of rows of logits, and their derivatives by the student's.
    ///
    /// Of vocabularies with different sizes, whose ends are padding, the ids count that both have.
    pub(super) fn of(self, student: Burn<2>, teacher: Burn<2>) -> (Burn<2>, Burn<2>) {
        let ([n, vocab], [_, taught]) = (student.dims(), teacher.dims());
        let both = vocab.min(taught);
        let s = log_softmax(student.slice_dim(1, 0..both), 1);
        let t = log_softmax(teacher.slice_dim(1, 0..both), 1);
        let (apart, slopes) = self.of_logarithms(s, t);
        if both == vocab {
            return (apart, slopes);
        }
        let rest = Burn::zeros([n, vocab - both], &slopes.device());
        (apart, Burn::cat(vec![slopes, rest], 1))
    }

    fn of_logarithms(self, s: Burn<2>, t: Burn<2>) -> (Burn<2>, Burn<2>) {
        let p = s.clone().exp();
        match self {
            Self::Forward => {
                let q = t.clone().exp();
                ((q.clone() * (t - s)).sum_dim(1), p - q)
            }
            Self::Reverse => through(p, s - t),
            Self::JensenShannon { beta } => {
                let q = t.clone().exp();
                let mixed = (q.clone().mul_scalar(beta) + p.clone().mul_scalar(1.0 - beta)).log();
                let of_teacher = (q * (t - mixed.clone())).sum_dim(1).mul_scalar(beta);
                let (of_student, slopes) = through(p, s - mixed);
                (of_teacher + of_student.mul_scalar(1.0 - beta), slopes.mul_scalar(1.0 - beta))
            }
        }
    }
}

/// `Σ p · x` and `p · (x - Σ p · x)`: the derivative by the logits of `p` where that by `p` is `x` and a constant.
fn through(p: Burn<2>, x: Burn<2>) -> (Burn<2>, Burn<2>) {
    let sum = (p.clone() * x.clone()).sum_dim(1);
    let slopes = p * (x - sum.clone());
    (sum, slopes)
}
