//! Tensors on the boundary: an opaque counted handle and one function that executes operators.

use super::{RawError, RawResult, guard, receive};
use crate::{DType, Op, PluginError, Result, Tensor};
use abi_stable::{
    StableAbi,
    nonexhaustive_enum::NonExhaustive,
    sabi_trait,
    sabi_trait::TD_CanDowncast,
    std_types::{RArc, ROption, RResult, RSliceMut, RVec},
};

/// What a host implements for its tensors.
pub trait HostTensor: Clone + Send + Sync + 'static {
    /// The size of each dimension.
    fn shape(&self) -> Vec<usize>;
    /// The type of the elements.
    fn dtype(&self) -> DType;
    /// Executes an operator. Operands that nobody else holds arrive as the only reference to their memory.
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self>;
}

#[sabi_trait]
pub trait Handle: Clone + Send + Sync + 'static {
    fn shape(&self) -> RVec<u64>;
    fn dtype(&self) -> DType;
    #[sabi(last_prefix_field)]
    fn execute(&self) -> Execute;
}

type Slots<'a> = RSliceMut<'a, ROption<RawTensor>>;

/// Executes an operator; takes every operand out of its slot.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct Execute(extern "C" fn(crate::op::Op_NE, Slots<'_>) -> RResult<RawTensor, RawError>);

/// [`Tensor`] on its way across.
#[repr(transparent)]
#[derive(StableAbi, Clone)]
pub struct RawTensor(Handle_TO<RArc<()>>);

#[derive(Clone)]
struct Hosted<T>(T);

impl<T: HostTensor> Handle for Hosted<T> {
    fn shape(&self) -> RVec<u64> {
        self.0.shape().into_iter().map(|n| n as u64).collect()
    }
    fn dtype(&self) -> DType {
        self.0.dtype()
    }
    fn execute(&self) -> Execute {
        Execute(execute_hosted::<T>)
    }
}

extern "C" fn execute_hosted<T: HostTensor>(op: crate::op::Op_NE, mut slots: Slots<'_>) -> RawResult<RawTensor> {
    guard(|| {
        let op = op.into_enum().map_err(|e| newer("operator", &e.into_inner()))?;
        let taken = slots.iter_mut().filter_map(|slot| std::mem::replace(slot, ROption::RNone).into_option());
        let operands = taken.map(|t| unwrap(Tensor(t))).collect::<Result<Vec<T>>>()?;
        Ok(wrap(T::execute(op, operands)?).0)
    })
}

/// Hands a host's tensor to plugins.
pub fn wrap<T: HostTensor>(tensor: T) -> Tensor {
    Tensor(RawTensor(Handle_TO::from_ptr(RArc::new(Hosted(tensor)), TD_CanDowncast)))
}

/// Takes a host's tensor back, without copying if nobody else holds it.
pub fn unwrap<T: HostTensor>(tensor: Tensor) -> Result<T> {
    let arc = (tensor.0.0.obj.downcast_into::<Hosted<T>>())
        .map_err(|_| PluginError::new("this tensor belongs to another run or to another device"))?;
    Ok(RArc::try_unwrap(arc).unwrap_or_else(|shared| Hosted::clone(&shared)).0)
}

/// Executes an operator through its first operand's host.
pub(crate) fn execute(op: Op, operands: impl Iterator<Item = RawTensor>) -> Result<RawTensor> {
    // Three operands fit on the stack; only `Concat` has more.
    let mut operands = operands.fuse();
    let mut few = [const { ROption::RNone }; 3];
    let mut count = 0;
    for (slot, tensor) in few.iter_mut().zip(&mut operands) {
        *slot = ROption::RSome(tensor);
        count += 1;
    }
    let ROption::RSome(head) = &few[0] else {
        return Err(PluginError::new(format!("{op:?} needs at least one operand")));
    };
    let function = head.0.execute().0;
    let op = NonExhaustive::new(op);
    let many: Vec<_> = if count == 3 { operands.map(ROption::RSome).collect() } else { Vec::new() };
    if many.is_empty() {
        return receive(function(op, RSliceMut::from_mut_slice(&mut few[..count])));
    }
    let mut all: Vec<_> = few.into_iter().chain(many).collect();
    receive(function(op, RSliceMut::from_mut_slice(&mut all)))
}

pub(crate) fn shape(t: &RawTensor) -> Vec<usize> {
    t.0.shape().iter().map(|&n| n as usize).collect()
}

pub(crate) fn dtype(t: &RawTensor) -> DType {
    t.0.dtype()
}

pub(super) fn newer(what: &str, op: &impl std::fmt::Debug) -> PluginError {
    PluginError::new(format!(
        "{what} {op:?} is not known to this version of the framework: the plugin was built with a newer SDK. \
         Update the framework, or build the plugin with its SDK."
    ))
}
