//! The operators that tensors execute, and the requests that a [`crate::Ctx`] makes.
#![allow(non_local_definitions)] // what abi_stable's macros expand to
#![allow(missing_docs)] // each variant's meaning stands at the `Tensor` or `Ctx` method of the same name

use crate::{Activation, DType};
use abi_stable::{
    StableAbi,
    std_types::{RString, RVec},
};

/// Rotary position embedding (Su et al., 2021, arXiv:2104.09864) of the last dimension's first `2 * inv_freq.len()`
/// elements; the rest pass through.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Angle per position of each pair.
    pub inv_freq: RVec<f64>,
    /// Factor on sine and cosine (YaRN, longrope); 1 otherwise.
    pub scale: f64,
    /// Pairs are neighbours (GPT-J) instead of halves (GPT-NeoX, Llama).
    pub interleaved: bool,
}

/// An operator on tensors. Dimensions count from the end when negative. Binary operators broadcast.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[sabi(kind(WithNonExhaustive(size = [usize; 16], traits(Clone, Debug), assert_nonexhaustive = Op)))]
#[non_exhaustive]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Maximum,
    Minimum,
    AddScalar(f64),
    MulScalar(f64),
    PowScalar(f64),
    Clamp {
        min: f64,
        max: f64,
    },
    Neg,
    Exp,
    Log,
    Sqrt,
    Recip,
    Abs,
    Sign,
    Tanh,
    Sigmoid,
    Sin,
    Cos,
    Erf,
    Activate(Activation),
    GatedActivate(Activation),
    Softmax {
        dim: i64,
    },
    LogSoftmax {
        dim: i64,
    },
    Sum {
        dim: i64,
    },
    Mean {
        dim: i64,
    },
    Max {
        dim: i64,
    },
    ArgMax {
        dim: i64,
    },
    TopK {
        k: u64,
    },
    Matmul,
    Linear,
    LayerNorm {
        eps: f64,
    },
    RmsNorm {
        eps: f64,
    },
    Rotary(Rotary),
    Embedding,
    Reshape {
        shape: RVec<i64>,
    },
    SwapDims {
        a: i64,
        b: i64,
    },
    Slice {
        dim: i64,
        start: i64,
        end: i64,
    },
    Concat {
        dim: i64,
    },
    Expand {
        shape: RVec<u64>,
    },
    Gather {
        dim: i64,
    },
    IndexSelect {
        dim: i64,
    },
    IndexAdd {
        dim: i64,
    },
    NonZero,
    Equal,
    Greater,
    Less,
    EqualScalar(f64),
    GreaterScalar(f64),
    LessScalar(f64),
    Where,
    Cast {
        dtype: DType,
    },
    Detach,
    Full {
        shape: RVec<u64>,
        value: f64,
        dtype: DType,
    },
    Arange {
        start: i64,
        end: i64,
    },
    Custom {
        name: RString,
        args: RString,
    },
    Svd {
        k: u64,
    },
    #[cfg(feature = "growth")]
    Grown,
}

/// What a plugin asks of the run that it takes part in.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[sabi(kind(WithNonExhaustive(size = [usize; 16], traits(Clone, Debug), assert_nonexhaustive = CtxOp)))]
#[non_exhaustive]
pub enum CtxOp {
    Weight {
        id: u64,
    },
    Project {
        id: u64,
    },
    Base {
        id: u64,
    },
    Attend {
        id: u64,
    },
    Conv {
        id: u64,
    },
    Scan {
        id: u64,
    },
    Rotate(Rotary),
    Positions,
    Dropout {
        p: f64,
    },
    AddLoss {
        name: RString,
    },
    Custom {
        name: RString,
        args: RString,
    },
    Length,
    Balance {
        name: RString,
        weight: f64,
    },
    Noise {
        width: f64,
    },
    #[cfg(feature = "growth")]
    Grown,
}
