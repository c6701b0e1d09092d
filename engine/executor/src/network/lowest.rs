//! Where differentiation may begin.

use framework_core::{
    AdapterPlan, DType, ModelSpec, Result,
    ffi::ModelObject,
    meta::{self, MetaHost},
};
use std::collections::BTreeSet;

/// The earliest stage in which a trained parameter takes part, found by running the stages on shapes alone.
pub(super) fn lowest_trained(
    model: &ModelObject,
    spec: &ModelSpec,
    plan: &AdapterPlan,
    trained: &BTreeSet<String>,
) -> Result<Option<usize>> {
    if plan.prompt + plan.prefix > 0 || plan.params.iter().any(|p| p.block.is_none()) {
        return Ok(None);
    }
    let first = |used: BTreeSet<String>| used.iter().any(|name| trained.contains(name));
    let host = MetaHost::new(spec, None, 1, 2)?;
    meta::embed(model, &host)?;
    if first(host.cost().used) {
        return Ok(None);
    }
    let of_adapter = plan.params.iter().filter_map(|p| p.block).min().unwrap_or(spec.blocks);
    for i in 0..of_adapter {
        let host = MetaHost::new(spec, None, 1, 2)?;
        model.block(&host.context(), i, host.tensor(&[1, 2, spec.hidden_size], DType::F32))?;
        if first(host.cost().used) {
            return Ok(Some(i));
        }
    }
    Ok(Some(of_adapter))
}
