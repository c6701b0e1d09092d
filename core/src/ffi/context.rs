//! The run on the boundary: one function that answers requests.

use super::{RawError, RawResult, RawTensor, checked, guard, receive, tensor::newer};
use crate::{Ctx, CtxOp, Result, Tensor};
use abi_stable::{
    StableAbi,
    nonexhaustive_enum::NonExhaustive,
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RArc, RResult, RVec},
};
use std::sync::Arc;

/// What a host implements for the models and adapters that it runs.
pub trait Host: Send + Sync + 'static {
    /// Answers a request. Requests that have nothing to answer return their first operand.
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor>;
}

#[sabi_trait]
pub trait Context: Clone + Send + Sync + 'static {
    #[sabi(last_prefix_field)]
    fn request(&self, op: crate::op::CtxOp_NE, operands: RVec<RawTensor>) -> RResult<RawTensor, RawError>;
}

/// [`Ctx`] on its way across.
#[repr(transparent)]
#[derive(StableAbi, Clone)]
pub struct RawContext(Context_TO<RArc<()>>);

struct Hosted<H>(Arc<H>);

impl<H> Clone for Hosted<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Host> Context for Hosted<H> {
    fn request(&self, op: crate::op::CtxOp_NE, operands: RVec<RawTensor>) -> RawResult<RawTensor> {
        guard(|| {
            let op = op.into_enum().map_err(|e| newer("request", &e.into_inner()))?;
            if let CtxOp::AddLoss { name } | CtxOp::Balance { name, .. } = &op {
                checked(name)?;
            }
            Ok(self.0.request(op, operands.into_iter().map(Tensor).collect())?.0)
        })
    }
}

/// The context through which plugins reach a host.
pub fn context<H: Host>(host: Arc<H>) -> Ctx {
    Ctx { raw: RawContext(Context_TO::from_ptr(RArc::new(Hosted(host)), TD_Opaque)) }
}

pub(crate) fn request<const N: usize>(cx: &RawContext, op: CtxOp, operands: [RawTensor; N]) -> Result<RawTensor> {
    receive(cx.0.request(NonExhaustive::new(op), operands.into_iter().collect()))
}
