//! The tensor that plugin authors compute with.

use crate::{Activation, DType, Op, Rotary, ffi::RawTensor, raise};
use std::{fmt, ops};

/// A tensor that lives in the host: a counted reference, cheap to clone.
///
/// Operators take their operands by value, so that the host can reuse memory that nobody else holds; clone what is
/// needed again. They do not return errors: a failed operator ends the current plugin call with one
/// ([`crate::raise`]).
#[derive(Clone)]
pub struct Tensor(pub(crate) RawTensor);

impl From<&Tensor> for Tensor {
    fn from(t: &Tensor) -> Tensor {
        t.clone()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({:?}, {:?})", self.shape(), self.dtype())
    }
}

impl Tensor {
    /// Executes an operator of which `self` is the first operand.
    pub fn execute<const N: usize>(self, op: Op, rest: [Tensor; N]) -> Tensor {
        let operands = std::iter::once(self).chain(rest).map(|t| t.0);
        Tensor(crate::ffi::execute(op, operands).unwrap_or_else(|e| raise(e)))
    }

    fn unary(self, op: Op) -> Tensor {
        self.execute(op, [])
    }

    fn binary(self, op: Op, other: impl Into<Tensor>) -> Tensor {
        self.execute(op, [other.into()])
    }

    /// Joins tensors along a dimension. Panics if there are none.
    pub fn concat(tensors: impl IntoIterator<Item = Tensor>, dim: i64) -> Tensor {
        let operands = tensors.into_iter().map(|t| t.0);
        Tensor(crate::ffi::execute(Op::Concat { dim }, operands).unwrap_or_else(|e| raise(e)))
    }

    /// The size of each dimension.
    pub fn shape(&self) -> Vec<usize> {
        crate::ffi::shape(&self.0)
    }

    /// The size of one dimension, counted from the end when negative. Panics if there is no such dimension.
    pub fn dim(&self, dim: i64) -> usize {
        let shape = self.shape();
        let index = if dim < 0 { shape.len() as i64 + dim } else { dim };
        shape[index as usize]
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        crate::ffi::dtype(&self.0)
    }

    /// The larger of each pair.
    pub fn maximum(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Maximum, other)
    }
    /// The smaller of each pair.
    pub fn minimum(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Minimum, other)
    }
    /// Raises to a power.
    pub fn pow(self, exponent: f64) -> Tensor {
        self.unary(Op::PowScalar(exponent))
    }
    /// Limits to `[min, max]`.
    pub fn clamp(self, min: f64, max: f64) -> Tensor {
        self.unary(Op::Clamp { min, max })
    }
    /// e to the power of each element.
    pub fn exp(self) -> Tensor {
        self.unary(Op::Exp)
    }
    /// Natural logarithm.
    pub fn log(self) -> Tensor {
        self.unary(Op::Log)
    }
    /// Square root.
    pub fn sqrt(self) -> Tensor {
        self.unary(Op::Sqrt)
    }
    /// `1 / x`.
    pub fn recip(self) -> Tensor {
        self.unary(Op::Recip)
    }
    /// Absolute value.
    pub fn abs(self) -> Tensor {
        self.unary(Op::Abs)
    }
    /// An operator that this version does not have.
    #[cfg(feature = "growth")]
    pub fn grown(self) -> Tensor {
        self.unary(Op::Grown)
    }
    /// -1, 0 or 1.
    pub fn sign(self) -> Tensor {
        self.unary(Op::Sign)
    }
    /// Hyperbolic tangent.
    pub fn tanh(self) -> Tensor {
        self.unary(Op::Tanh)
    }
    /// Logistic function.
    pub fn sigmoid(self) -> Tensor {
        self.unary(Op::Sigmoid)
    }
    /// Sine, in radians.
    pub fn sin(self) -> Tensor {
        self.unary(Op::Sin)
    }
    /// Cosine, in radians.
    pub fn cos(self) -> Tensor {
        self.unary(Op::Cos)
    }
    /// Error function.
    pub fn erf(self) -> Tensor {
        self.unary(Op::Erf)
    }
    /// A point-wise non-linearity.
    pub fn activate(self, activation: Activation) -> Tensor {
        self.unary(Op::Activate(activation))
    }
    /// `log(1 + e^x)`.
    pub fn softplus(self) -> Tensor {
        self.activate(Activation::Softplus)
    }
    /// `activation(self) * up`, the gate of a gated feed-forward layer (Shazeer, 2020, arXiv:2002.05202).
    pub fn gated(self, activation: Activation, up: impl Into<Tensor>) -> Tensor {
        self.binary(Op::GatedActivate(activation), up)
    }
    /// Softmax along a dimension.
    pub fn softmax(self, dim: i64) -> Tensor {
        self.unary(Op::Softmax { dim })
    }
    /// Logarithm of the softmax along a dimension.
    pub fn log_softmax(self, dim: i64) -> Tensor {
        self.unary(Op::LogSoftmax { dim })
    }
    /// Sum along a dimension, which stays with size 1.
    pub fn sum(self, dim: i64) -> Tensor {
        self.unary(Op::Sum { dim })
    }
    /// Mean along a dimension, which stays with size 1.
    pub fn mean(self, dim: i64) -> Tensor {
        self.unary(Op::Mean { dim })
    }
    /// Maximum along a dimension, which stays with size 1.
    pub fn max(self, dim: i64) -> Tensor {
        self.unary(Op::Max { dim })
    }
    /// Index of the maximum along a dimension, which stays with size 1.
    pub fn argmax(self, dim: i64) -> Tensor {
        self.unary(Op::ArgMax { dim })
    }
    /// Indices of the `k` largest elements of the last dimension, largest first.
    pub fn top_k(self, k: usize) -> Tensor {
        self.unary(Op::TopK { k: k as u64 })
    }
    /// Matrix product of the last two dimensions; the others broadcast.
    pub fn matmul(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Matmul, other)
    }
    /// `self · weightᵀ` for a weight `[out, in]`. In a model, [`crate::Linear`] is the one to use.
    pub fn linear(self, weight: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Linear, weight)
    }
    /// Layer normalisation (Ba et al., 2016, arXiv:1607.06450) of the last dimension.
    pub fn layer_norm(self, weight: impl Into<Tensor>, bias: impl Into<Tensor>, eps: f64) -> Tensor {
        self.execute(Op::LayerNorm { eps }, [weight.into(), bias.into()])
    }
    /// Root-mean-square normalisation (Zhang and Sennrich, 2019, arXiv:1910.07467) of the last dimension.
    pub fn rms_norm(self, weight: impl Into<Tensor>, eps: f64) -> Tensor {
        self.binary(Op::RmsNorm { eps }, weight)
    }
    /// Rotary position embedding of `[batch, heads, time, size]` at positions `[batch, time]`.
    pub fn rotary(self, positions: impl Into<Tensor>, rotary: Rotary) -> Tensor {
        self.binary(Op::Rotary(rotary), positions)
    }
    /// Rows of the table `self [n, width]` for ids `[batch, time]`: `[batch, time, width]`.
    pub fn embedding(self, ids: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Embedding, ids)
    }
    /// Another shape with as many elements; one dimension may be -1.
    pub fn reshape<const D: usize>(self, shape: [i64; D]) -> Tensor {
        self.unary(Op::Reshape { shape: shape.to_vec().into() })
    }
    /// Exchanges two dimensions.
    pub fn swap_dims(self, a: i64, b: i64) -> Tensor {
        self.unary(Op::SwapDims { a, b })
    }
    /// Elements `start..end` of a dimension.
    pub fn slice(self, dim: i64, start: usize, end: usize) -> Tensor {
        self.unary(Op::Slice { dim, start: start as i64, end: end as i64 })
    }
    /// Repeats dimensions of size 1.
    pub fn expand<const D: usize>(self, shape: [usize; D]) -> Tensor {
        self.unary(Op::Expand { shape: shape.map(|n| n as u64).to_vec().into() })
    }
    /// Elements at `indices` along a dimension; `indices` has the result's shape.
    pub fn gather(self, dim: i64, indices: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Gather { dim }, indices)
    }
    /// Slices at `indices [n]` along a dimension.
    pub fn index_select(self, dim: i64, indices: impl Into<Tensor>) -> Tensor {
        self.binary(Op::IndexSelect { dim }, indices)
    }
    /// Adds `values` to the slices at `indices [n]` along a dimension.
    pub fn index_add(self, dim: i64, indices: impl Into<Tensor>, values: impl Into<Tensor>) -> Tensor {
        self.execute(Op::IndexAdd { dim }, [indices.into(), values.into()])
    }
    /// Indices `[n]` of the true elements of a one-dimensional mask. Its shape depends on the data.
    pub fn non_zero(self) -> Tensor {
        self.unary(Op::NonZero)
    }
    /// Where equal.
    pub fn equal(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Equal, other)
    }
    /// Where greater.
    pub fn greater(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Greater, other)
    }
    /// Where less.
    pub fn less(self, other: impl Into<Tensor>) -> Tensor {
        self.binary(Op::Less, other)
    }
    /// Where equal to a number.
    pub fn equal_to(self, value: f64) -> Tensor {
        self.unary(Op::EqualScalar(value))
    }
    /// Where greater than a number.
    pub fn greater_than(self, value: f64) -> Tensor {
        self.unary(Op::GreaterScalar(value))
    }
    /// Where less than a number.
    pub fn less_than(self, value: f64) -> Tensor {
        self.unary(Op::LessScalar(value))
    }
    /// `a` where the mask `self` is true, else `b`.
    pub fn choose(self, a: impl Into<Tensor>, b: impl Into<Tensor>) -> Tensor {
        self.execute(Op::Where, [a.into(), b.into()])
    }
    /// The `k` largest singular values of a matrix `[m, n]`, largest first, with their vectors: `U` `[m, k]`, `S` `[k]`
    /// and `Vᵀ` `[k, n]`. Where a value is 0, its row of `Vᵀ` is, too. No gradient flows through them.
    pub fn svd(self, k: usize) -> (Tensor, Tensor, Tensor) {
        let (rows, columns) = (self.dim(0), self.dim(-1));
        // One operator has one result: each row is a column of U, the value, and a row of Vᵀ.
        let all = self.unary(Op::Svd { k: k as u64 });
        let left = all.clone().slice(1, 0, rows).swap_dims(0, 1);
        let values = all.clone().slice(1, rows, rows + 1).reshape([k as i64]);
        (left, values, all.slice(1, rows + 1, rows + 1 + columns))
    }
    /// Another element type.
    pub fn cast(self, dtype: DType) -> Tensor {
        self.unary(Op::Cast { dtype })
    }
    /// The same values, through which no gradient flows.
    pub fn detach(self) -> Tensor {
        self.unary(Op::Detach)
    }
    /// A tensor filled with one value, where `self` lives.
    pub fn full<const D: usize>(&self, shape: [usize; D], value: f64, dtype: DType) -> Tensor {
        let shape = shape.map(|n| n as u64).to_vec().into();
        self.clone().unary(Op::Full { shape, value, dtype })
    }
    /// The integers `start..end`, where `self` lives.
    pub fn arange(&self, start: usize, end: usize) -> Tensor {
        self.clone().unary(Op::Arange { start: start as i64, end: end as i64 })
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $op:expr, $scalar:expr) => {
        impl<T: Into<Tensor>> ops::$trait<T> for Tensor {
            type Output = Tensor;
            fn $method(self, other: T) -> Tensor {
                self.binary($op, other)
            }
        }
        impl<T: Into<Tensor>> ops::$trait<T> for &Tensor {
            type Output = Tensor;
            fn $method(self, other: T) -> Tensor {
                self.clone().binary($op, other)
            }
        }
        impl ops::$trait<f64> for Tensor {
            type Output = Tensor;
            fn $method(self, scalar: f64) -> Tensor {
                self.unary($scalar(scalar))
            }
        }
        impl ops::$trait<f64> for &Tensor {
            type Output = Tensor;
            fn $method(self, scalar: f64) -> Tensor {
                self.clone().unary($scalar(scalar))
            }
        }
    };
}
operator!(Add, add, Op::Add, Op::AddScalar);
operator!(Sub, sub, Op::Sub, |s: f64| Op::AddScalar(-s));
operator!(Mul, mul, Op::Mul, Op::MulScalar);
operator!(Div, div, Op::Div, |s: f64| Op::MulScalar(1.0 / s));

impl ops::Neg for Tensor {
    type Output = Tensor;
    fn neg(self) -> Tensor {
        self.unary(Op::Neg)
    }
}
