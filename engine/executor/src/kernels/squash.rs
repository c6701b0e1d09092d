//! What becomes of the vocabulary projection's result: `softcap · tanh(scale · x / softcap)`.

use super::curves::tanh;
use burn::{
    backend::{Backend, Dispatch, tensor::FloatTensor},
    tensor::Tensor as Burn,
};

#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Squash {
    pub scale: Option<f64>,
    pub softcap: Option<f64>,
}

impl Squash {
    /// The logits of `x`.
    pub fn of<const D: usize>(self, x: Burn<D>) -> Burn<D> {
        self.with_slopes(x).0
    }

    /// The logits, and their derivative with respect to `x` unless it is 1.
    pub fn with_slopes<const D: usize>(self, x: Burn<D>) -> (Burn<D>, Option<Burn<D>>) {
        let (logits, slopes) = self.applied::<Dispatch>(x.into_dispatch());
        (Burn::from_dispatch(logits), slopes.map(Burn::from_dispatch))
    }

    /// The same in a backend's operators.
    pub fn applied<B: Backend>(self, x: FloatTensor<B>) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        use burn::backend::TensorMetadata;
        let scale = self.scale.unwrap_or(1.0);
        let x = if scale == 1.0 { x } else { B::float_mul_scalar(x, scale.into()) };
        let Some(cap) = self.softcap else {
            let all = |x: &FloatTensor<B>| B::float_full(x.shape(), scale.into(), &x.device(), x.dtype().into());
            let slopes = (scale != 1.0).then(|| all(&x));
            return (x, slopes);
        };
        let tanh = B::float_tanh(B::float_div_scalar(x, cap.into()));
        let square = B::float_mul(tanh.clone(), tanh.clone());
        let slopes = B::float_mul_scalar(B::float_add_scalar(B::float_neg(square), 1f32.into()), scale.into());
        (B::float_mul_scalar(tanh, cap.into()), Some(slopes))
    }

    /// The derivative's part that is the same for all numbers.
    pub fn factor(self) -> f32 {
        self.scale.unwrap_or(1.0) as f32
    }

    /// The logits of a row, in place.
    #[inline(always)]
    pub fn row(self, row: &mut [f32]) {
        let scale = self.factor();
        match self.softcap {
            Some(cap) => {
                let cap = cap as f32;
                row.iter_mut().for_each(|x| *x = cap * tanh(scale * *x / cap));
            }
            None if scale != 1.0 => row.iter_mut().for_each(|x| *x *= scale),
            None => {}
        }
    }

    /// The rest of the derivative, at a logit.
    #[inline(always)]
    pub fn slope(self, logit: f32) -> f32 {
        match self.softcap {
            Some(cap) => slope_of_cap(cap as f32, logit),
            None => 1.0,
        }
    }
}

/// The derivative of `cap · tanh(x / cap)`, where it is `logit`.
#[inline(always)]
pub fn slope_of_cap(cap: f32, logit: f32) -> f32 {
    let tanh = logit / cap;
    1.0 - tanh * tanh
}
