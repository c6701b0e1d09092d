//! Models run on shapes.

use super::{MetaHost, MetaTensor, tensor::lock, undeclared};
use crate::{
    DType, ModelSpec, Op, Param, PluginError, Result, Role, Tensor,
    ffi::{self, HostTensor, ModelObject},
};
use std::sync::{Arc, atomic::Ordering};

/// Runs all stages of a model once over ids `[batch, time]`, checking the shapes between them. Returns the bytes that
/// are kept up to the end of each: the embeddings, the blocks, the head.
pub fn forward(model: &ModelObject, host: &Arc<MetaHost>, spec: &ModelSpec) -> Result<Vec<u64>> {
    let cx = host.context();
    let check = |stage: &str, hidden: Tensor| {
        let expected = [host.batch, host.computed(), spec.hidden_size];
        match hidden.shape() == expected {
            true => Ok(hidden),
            false => Err(PluginError::new(format!("{stage} returned {:?}, not {expected:?}", hidden.shape()))),
        }
    };
    let mut hidden = check("start", embed(model, host)?)?;
    let mut kept = vec![host.cost().kept];
    for index in 0..spec.blocks {
        hidden = check(&format!("block {index}"), model.block(&cx, index, hidden)?)?;
        kept.push(host.cost().kept);
    }
    let hidden = check("head", model.head(&cx, hidden)?)?;
    kept.push(host.cost().kept);
    let largest = host.cost().largest;
    project(host, hidden)?;
    // Logits are never held whole.
    lock(&host.counting).largest = largest;
    Ok(kept)
}

/// The embeddings as they enter the first block.
pub fn embed(model: &ModelObject, host: &Arc<MetaHost>) -> Result<Tensor> {
    let (cx, ids) = (host.context(), host.tensor(&[host.batch, host.time], DType::Int));
    host.embedding.store(true, Ordering::Relaxed);
    let embedded = model.embed(&cx, ids.clone());
    host.embedding.store(false, Ordering::Relaxed);
    let mut hidden = embedded?;
    let expected = [host.batch, host.time, host.spec.hidden_size];
    let of_embeddings = |p: &&Param| p.role == Role::Embedding;
    if let Some(adapter) = &host.adapter {
        for site in host.spec.params.iter().filter(of_embeddings).flat_map(|param| adapter.sites(param)) {
            hidden = adapter.embed(&cx, site, ids.clone(), hidden)?;
        }
    }
    if hidden.shape() != expected {
        return Err(PluginError::new(format!("embed returned {:?}, not {expected:?}", hidden.shape())));
    }
    model.start(&cx, host.extend(hidden)?)
}

/// The vocabulary projection.
fn project(host: &Arc<MetaHost>, hidden: Tensor) -> Result<()> {
    let spec = &host.spec;
    let weight = spec.get(&spec.output).ok_or_else(|| undeclared(&spec.output, std::iter::empty()))?;
    let site = host.adapter.as_ref().filter(|_| weight.role == Role::Output);
    if let Some((adapter, site)) = site.and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
        let rows = host.batch * host.computed();
        let flat = host.tensor(&[rows, spec.hidden_size], DType::F32);
        let (features, more) = adapter.output(&host.context(), site, flat)?;
        let (features, more) = (features.shape(), more.shape());
        if features.len() != 2 || more != [spec.vocab_size, features[1]] || features[0] != rows {
            let message = format!("what it adds to the vocabulary projection is {features:?} by {more:?}");
            return Err(PluginError::new(message));
        }
    }
    MetaTensor::execute(Op::Linear, vec![ffi::unwrap(hidden)?, host.param(weight)])?;
    if let Some(bias) = spec.output_bias.as_ref().and_then(|name| spec.get(name)) {
        host.param(bias);
    }
    Ok(())
}
