//! Tensors of any rank and kind behind one type.

use super::{Device, ops};
use burn::tensor::{Bool, Int, Tensor as Burn, TensorData};
use framework_base::Float;
use framework_core::{DType, Op, PluginError, Result, ffi::HostTensor};
use half::{bf16, f16, vec::HalfBitsVecExt};

/// Every tensor is held with this rank, ones in front: burn's types count ranks, plugins do not.
pub(super) const R: usize = 5;

/// A tensor on a device.
#[derive(Clone)]
pub struct Value {
    pub(super) data: Data,
    pub(super) rank: usize,
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
    pub(super) fn float(t: Burn<R>, rank: usize) -> Self {
        Self { data: Data::Float(t), rank }
    }
    pub(super) fn int(t: Burn<R, Int>, rank: usize) -> Self {
        Self { data: Data::Int(t), rank }
    }
    pub(super) fn bool(t: Burn<R, Bool>, rank: usize) -> Self {
        Self { data: Data::Bool(t), rank }
    }

    /// A float tensor from row-major data.
    pub fn from_f32(data: Vec<f32>, shape: &[usize], device: &Device) -> Result<Self> {
        let full = padded(shape)?;
        Ok(Self::float(Burn::from_data(TensorData::new(data, full), &device.0), shape.len()))
    }

    /// A float tensor from 16-bit numbers, which are kept as they are: nothing is computed with it before it is
    /// [`Value::widened`].
    pub fn from_halves(halves: Vec<u16>, format: Float, shape: &[usize], device: &Device) -> Result<Self> {
        let full = padded(shape)?;
        let (data, dtype) = match format {
            Float::F16 => (TensorData::new(halves.reinterpret_into::<f16>(), full), burn::tensor::DType::F16),
            _ => (TensorData::new(halves.reinterpret_into::<bf16>(), full), burn::tensor::DType::BF16),
        };
        Ok(Self::float(Burn::from_data(data, (&device.0, dtype)), shape.len()))
    }

    /// In 32 bits.
    pub fn widened(self) -> Self {
        let rank = self.rank;
        match (self.dtype(), self.data) {
            (DType::F16 | DType::BF16, Data::Float(t)) => Self::float(t.cast(burn::tensor::DType::F32), rank),
            (_, data) => Self { data, rank },
        }
    }

    /// A tensor of integers from row-major data.
    pub fn from_ints(data: Vec<i32>, shape: &[usize], device: &Device) -> Result<Self> {
        let full = padded(shape)?;
        Ok(Self::int(Burn::from_data(TensorData::new(data, full), &device.0), shape.len()))
    }

    /// A float tensor of zeros.
    pub fn zeros(shape: &[usize], device: &Device) -> Result<Self> {
        Ok(Self::float(Burn::zeros(padded(shape)?, &device.0), shape.len()))
    }

    /// The elements in row-major order.
    pub fn to_f32(&self) -> Result<Vec<f32>> {
        let read = |data: TensorData| {
            data.convert::<f32>()
                .try_into_vec::<f32>()
                .map_err(|e| PluginError::new(format!("cannot read a tensor: {e:?}")))
        };
        read(match &self.data {
            Data::Float(t) => t.clone().inner().into_data(),
            Data::Int(t) => t.clone().into_data(),
            Data::Bool(t) => t.clone().into_data(),
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

    /// The sum of the squares of a float tensor's elements.
    pub fn sum_of_squares(&self) -> Result<f64> {
        let t = self.clone().into_float()?.inner();
        Ok(f64::from(t.square().sum().into_scalar::<f32>()))
    }

    pub(super) fn into_float(self) -> Result<Burn<R>> {
        match self.data {
            Data::Float(t) => Ok(t),
            _ => Err(PluginError::new(format!("a float tensor was expected, not {:?}", self.dtype()))),
        }
    }

    pub(super) fn into_int(self) -> Result<Burn<R, Int>> {
        match self.data {
            Data::Int(t) => Ok(t),
            _ => Err(PluginError::new(format!("an integer tensor was expected, not {:?}", self.dtype()))),
        }
    }

    pub(super) fn into_bool(self) -> Result<Burn<R, Bool>> {
        match self.data {
            Data::Bool(t) => Ok(t),
            _ => Err(PluginError::new(format!("a mask was expected, not {:?}", self.dtype()))),
        }
    }

    pub(super) fn dims(&self) -> [usize; R] {
        match &self.data {
            Data::Float(t) => t.dims(),
            Data::Int(t) => t.dims(),
            Data::Bool(t) => t.dims(),
        }
    }

    /// In a gradient graph, without being differentiated itself.
    pub(super) fn tracked(self) -> Self {
        let data = match self.data {
            Data::Float(t) => Data::Float(t.autodiff()),
            Data::Int(t) => Data::Int(t.autodiff()),
            Data::Bool(t) => Data::Bool(t.autodiff()),
        };
        Self { data, rank: self.rank }
    }

    /// A leaf of a gradient graph.
    pub(super) fn leaf(self) -> Result<Self> {
        let rank = self.rank;
        Ok(Self::float(self.into_float()?.inner().autodiff().require_grad(), rank))
    }

    /// Outside of any gradient graph.
    pub(super) fn plain(self) -> Self {
        let data = match self.data {
            Data::Float(t) => Data::Float(t.inner()),
            Data::Int(t) => Data::Int(t.inner()),
            Data::Bool(t) => Data::Bool(t.inner()),
        };
        Self { data, rank: self.rank }
    }
}

impl HostTensor for Value {
    fn shape(&self) -> Vec<usize> {
        self.dims()[R - self.rank..].to_vec()
    }

    fn dtype(&self) -> DType {
        match &self.data {
            Data::Int(_) => DType::Int,
            Data::Bool(_) => DType::Bool,
            Data::Float(t) => match t.dtype() {
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
