//! Tensors of any rank and kind behind one type.

use super::{
    Device,
    chain::Later,
    groups::{EqualTo, Groups},
    ops,
    storage::Stored,
    transfer,
};
use burn::tensor::{Bool, Int, Tensor as Burn};
use framework_core::{DType, Op, PluginError, Result, ffi::HostTensor};
use std::sync::Arc;

/// Every tensor is held with this rank, ones in front: burn's types count ranks, plugins do not.
pub(super) const R: usize = 5;

/// A tensor on a device.
#[derive(Clone)]
pub struct Value {
    pub(super) held: Held,
    pub(super) rank: usize,
    pub(super) about: Option<About>,
}

/// What is known about a tensor's elements.
#[derive(Clone)]
pub(super) enum About {
    /// Of integers: where each is, once somebody has asked.
    List(Groups),
    /// Of a mask: that it says where a list of integers has a value.
    Equal(Arc<EqualTo>),
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "a box would cost every operator an allocation")]
pub(super) enum Held {
    Dense(Data),
    /// Floats that are decoded where they are used, and whether they are constants of a gradient graph.
    Stored(Arc<Stored>, bool),
    /// Floats that elementwise operators make, when they are asked for.
    Later(Arc<Later>),
}

#[derive(Clone)]
pub(super) enum Data {
    Float(Burn<R>),
    Int(Burn<R, Int>),
    Bool(Burn<R, Bool>),
}

/// A shape with ones in front.
pub(super) fn padded(shape: &[usize]) -> Result<[usize; R]> {
    let mut full = [1; R];
    let front = R.checked_sub(shape.len()).ok_or_else(|| {
        PluginError::new(format!("{shape:?} has {} dimensions; at most {R} are supported", shape.len()))
    })?;
    full[front..].copy_from_slice(shape);
    Ok(full)
}

/// The same elements in another shape, which may be empty: burn takes a 0 for "as before".
macro_rules! reshaped {
    ($t:expr, $dims:expr) => {{
        let (t, dims) = ($t, $dims);
        if dims.contains(&0) { burn::tensor::Tensor::empty(dims, &t.device()) } else { t.reshape(dims) }
    }};
}
pub(super) use reshaped;

impl Value {
    pub(super) fn dense(data: Data, rank: usize) -> Self {
        let about = matches!(data, Data::Int(_)).then(|| About::List(Groups::default()));
        Self { held: Held::Dense(data), rank, about }
    }
    pub(super) fn float(t: Burn<R>, rank: usize) -> Self {
        Self::dense(Data::Float(t), rank)
    }
    pub(super) fn int(t: Burn<R, Int>, rank: usize) -> Self {
        Self::dense(Data::Int(t), rank)
    }
    pub(super) fn bool(t: Burn<R, Bool>, rank: usize) -> Self {
        Self::dense(Data::Bool(t), rank)
    }

    /// What burn computes with: a stored weight in 32 bits.
    pub(super) fn into_data(self) -> Data {
        match self.held {
            Held::Dense(data) => data,
            Held::Stored(stored, true) => Data::Float(stored.dense().autodiff()),
            Held::Stored(stored, false) => Data::Float(stored.dense()),
            Held::Later(later) => Data::Float(later.computed()),
        }
    }

    pub(super) fn device(&self) -> burn::tensor::Device {
        match &self.held {
            Held::Dense(Data::Float(t)) => t.device(),
            Held::Dense(Data::Int(t)) => t.device(),
            Held::Dense(Data::Bool(t)) => t.device(),
            Held::Stored(stored, _) => stored.device(),
            Held::Later(later) => later.device(),
        }
    }

    /// A float tensor from row-major data.
    pub fn from_f32(data: Vec<f32>, shape: &[usize], device: &Device) -> Result<Self> {
        let full = padded(shape)?;
        Ok(Self::float(transfer::floats(data, full, &device.burn), shape.len()))
    }

    /// A weight that is decoded where it is used.
    pub(super) fn constant(stored: Arc<Stored>) -> Self {
        let rank = stored.shape().len();
        Self { held: Held::Stored(stored, false), rank, about: None }
    }

    /// The weight, if it is one that is decoded where it is used.
    pub(super) fn as_stored(&self) -> Option<&Arc<Stored>> {
        match &self.held {
            Held::Stored(stored, _) => Some(stored),
            Held::Dense(_) | Held::Later(_) => None,
        }
    }

    /// Whether it is part of a gradient graph.
    pub(super) fn is_tracked(&self) -> bool {
        match &self.held {
            Held::Dense(Data::Float(t)) => t.is_autodiff(),
            Held::Dense(_) | Held::Later(_) => false,
            Held::Stored(_, tracked) => *tracked,
        }
    }

    /// A tensor of integers from row-major data.
    pub fn from_ints(data: Vec<i32>, shape: &[usize], device: &Device) -> Result<Self> {
        let full = padded(shape)?;
        Ok(Self::int(transfer::ints(data, full, &device.burn), shape.len()))
    }

    /// A float tensor of one number.
    pub fn full(shape: &[usize], number: f64, device: &Device) -> Result<Self> {
        Ok(Self::float(Burn::full(padded(shape)?, number, &device.burn), shape.len()))
    }

    /// A float tensor of zeros.
    pub fn zeros(shape: &[usize], device: &Device) -> Result<Self> {
        Ok(Self::float(Burn::zeros(padded(shape)?, &device.burn), shape.len()))
    }

    /// The elements in row-major order.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        transfer::read(|| match self.clone().plain().into_data() {
            Data::Float(t) => t.into_data(),
            Data::Int(t) => t.into_data(),
            Data::Bool(t) => t.into_data(),
        })
    }

    /// The only element.
    pub fn scalar(&self) -> Result<f32> {
        match self.to_f32()?.as_slice() {
            [x] => Ok(*x),
            all => Err(PluginError::new(format!("a scalar was expected, not {} elements", all.len()))),
        }
    }

    /// Adds another float tensor of the same shape.
    pub fn plus(self, other: Value) -> Result<Value> {
        Value::execute(Op::Add, vec![self, other])
    }

    /// Multiplies a float tensor by a number.
    pub fn times(self, factor: f64) -> Result<Value> {
        Value::execute(Op::MulScalar(factor), vec![self])
    }

    pub(super) fn into_float(self) -> Result<Burn<R>> {
        let dtype = self.dtype();
        match self.into_data() {
            Data::Float(t) => Ok(t),
            _ => Err(PluginError::new(format!("a float tensor was expected, not {dtype:?}"))),
        }
    }

    pub(super) fn into_int(self) -> Result<Burn<R, Int>> {
        let dtype = self.dtype();
        match self.into_data() {
            Data::Int(t) => Ok(t),
            _ => Err(PluginError::new(format!("an integer tensor was expected, not {dtype:?}"))),
        }
    }

    pub(super) fn into_bool(self) -> Result<Burn<R, Bool>> {
        let dtype = self.dtype();
        match self.into_data() {
            Data::Bool(t) => Ok(t),
            _ => Err(PluginError::new(format!("a mask was expected, not {dtype:?}"))),
        }
    }

    pub(super) fn dims(&self) -> [usize; R] {
        match &self.held {
            Held::Dense(Data::Float(t)) => t.dims(),
            Held::Dense(Data::Int(t)) => t.dims(),
            Held::Dense(Data::Bool(t)) => t.dims(),
            Held::Stored(stored, _) => stored.dims(),
            Held::Later(later) => later.dims,
        }
    }

    /// In a gradient graph, without being differentiated itself.
    pub(super) fn tracked(self) -> Self {
        let held = match self.held {
            Held::Dense(Data::Float(t)) => Held::Dense(Data::Float(t.autodiff())),
            Held::Dense(Data::Int(t)) => Held::Dense(Data::Int(t.autodiff())),
            Held::Dense(Data::Bool(t)) => Held::Dense(Data::Bool(t.autodiff())),
            Held::Stored(stored, _) => Held::Stored(stored, true),
            Held::Later(later) => Held::Dense(Data::Float(later.computed().autodiff())),
        };
        Self { held, rank: self.rank, about: None }
    }

    /// A leaf of a gradient graph.
    pub(super) fn leaf(self) -> Result<Self> {
        let rank = self.rank;
        Ok(Self::float(self.into_float()?.inner().autodiff().require_grad(), rank))
    }

    /// Outside of any gradient graph.
    pub(super) fn plain(self) -> Self {
        let held = match self.held {
            Held::Dense(Data::Float(t)) => Held::Dense(Data::Float(t.inner())),
            Held::Dense(Data::Int(t)) => Held::Dense(Data::Int(t.inner())),
            Held::Dense(Data::Bool(t)) => Held::Dense(Data::Bool(t.inner())),
            Held::Stored(stored, _) => Held::Stored(stored, false),
            later => later,
        };
        Self { held, rank: self.rank, about: None }
    }
}

impl HostTensor for Value {
    fn shape(&self) -> Vec<usize> {
        self.dims()[R - self.rank..].to_vec()
    }

    fn dtype(&self) -> DType {
        match &self.held {
            Held::Dense(Data::Int(_)) => DType::Int,
            Held::Dense(Data::Bool(_)) => DType::Bool,
            Held::Stored(..) | Held::Later(_) => DType::F32,
            Held::Dense(Data::Float(t)) => match t.dtype() {
                burn::tensor::DType::F16 => DType::F16,
                burn::tensor::DType::BF16 => DType::BF16,
                _ => DType::F32,
            },
        }
    }

    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        ops::execute(&op, operands)
    }
}
