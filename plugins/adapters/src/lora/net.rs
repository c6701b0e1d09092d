//! What LoRA computes.

use super::{
    Lora,
    pissa::{KEY, Origin},
};
use framework_sdk::prelude::*;
use std::sync::{Mutex, PoisonError};

/// LoRA, attached to a model.
pub struct LoraNet {
    pub(super) parts: Vec<Part>,
    pub(super) dropout: f64,
    /// `B` of an [`Origin`], which is found together with its `A`.
    pub(super) found: Mutex<Option<(Weight, Tensor)>>,
}

/// What is added to one module. Scaled where it is narrowest.
pub(super) enum Part {
    Linear {
        site: Site,
        a: Weight,
        b: Weight,
        bias: Option<Weight>,
        scale: f64,
        magnitude: Option<Weight>,
        origin: Option<Origin>,
    },
    /// `a` is `[r, vocab]`, `b` `[hidden, r]`.
    Embedding { a: Weight, b: Weight, scale: f64 },
    /// The embeddings of these tokens are `rows`.
    Tokens { site: Site, ids: Vec<usize>, rows: Weight },
}

impl Part {
    /// Declares what is added to the module of `weight`, under PEFT's names.
    pub fn new(lora: &Lora, model: &ModelSpec, weight: &Param, a: &Attach) -> Result<Self> {
        let module = model.peft_name(weight.module());
        let (rank, scale) = (lora.rank(weight.module())?, lora.scale(weight.module())?);
        let (out, input, block) = (weight.shape[0], weight.shape[1], weight.block);
        let name = |end: &str| format!("base_model.model.{module}.{end}");
        if weight.role != Role::Linear && (lora.use_dora || lora.lora_bias) {
            let option = if lora.use_dora { "use_dora" } else { "lora_bias" };
            return Err(PluginError::option(option, format!("is for projections of the blocks, not for `{module}`")));
        }
        let pissa = lora.init_lora_weights.is_pissa();
        if weight.role == Role::Embedding {
            if pissa {
                return Err(PluginError::option(KEY, format!("is for projections, not for `{module}`")));
            }
            if model.is_tied() {
                let message =
                    "the embeddings are the vocabulary projection, too: `targets` cannot change only one of them";
                return Err(PluginError::new(message));
            }
            a.intercept(weight);
            let lora_a = a.param(name("lora_embedding_A"), &[rank, out], Init::Zeros, block);
            let lora_b = a.param(name("lora_embedding_B"), &[input, rank], Init::Normal(1.0), block);
            return Ok(Self::Embedding { a: lora_a, b: lora_b, scale });
        }
        let site = a.intercept(weight);
        let param = |end: &str, shape: &[usize], init| {
            lora.rate(a, &name(end), shape);
            a.param(name(end), shape, init, block)
        };
        if pissa {
            if rank > out.min(input) {
                let most = out.min(input);
                return Err(PluginError::option("r", format!("is {rank}; with PiSSA, `{module}` has at most {most}")));
            }
            a.requires("op.svd");
            let origin = Origin {
                a: a.frozen(name("pissa_A"), &[rank, input], block),
                b: a.frozen(name("pissa_B"), &[out, rank], block),
            };
            let computed = |end: &str, shape: &[usize], saved: &[usize]| {
                lora.rate(a, &name(end), shape);
                a.saved(name(end), saved);
                a.computed(name(end), shape, block)
            };
            let lora_a = computed("lora_A.weight", &[rank, input], &[2 * rank, input]);
            let lora_b = computed("lora_B.weight", &[out, rank], &[out, 2 * rank]);
            let (bias, magnitude) = (None, None);
            return Ok(Self::Linear { site, a: lora_a, b: lora_b, bias, scale, magnitude, origin: Some(origin) });
        }
        // PyTorch's Kaiming-uniform initialisation with a = √5.
        let random = Init::Uniform(1.0 / (input as f64).sqrt());
        let lora_a = param("lora_A.weight", &[rank, input], random);
        let lora_b = param("lora_B.weight", &[out, rank], Init::Zeros);
        let bias = lora.lora_bias.then(|| param("lora_B.bias", &[out], Init::Zeros));
        let magnitude = lora.use_dora.then(|| {
            lora.rate(a, &name("lora_magnitude_vector"), &[out]);
            a.computed(name("lora_magnitude_vector"), &[out], block)
        });
        Ok(Self::Linear { site, a: lora_a, b: lora_b, bias, scale, magnitude, origin: None })
    }

    /// Declares embeddings of some tokens.
    pub fn tokens(ids: &[usize], model: &ModelSpec, a: &Attach) -> Result<Self> {
        let wrong = |message: String| Err(PluginError::new(message).key("trainable_token_indices"));
        let Some(table) = model.params.iter().find(|p| p.role == Role::Embedding) else {
            return wrong("the model has no table of embeddings".into());
        };
        if model.is_tied() {
            return wrong(
                "`trainable_token_indices` needs embeddings that are not the vocabulary projection, too".into(),
            );
        }
        let (rows, width) = (table.shape[0], table.shape[1]);
        if let Some(id) = ids.iter().find(|id| **id >= rows) {
            return wrong(format!("`trainable_token_indices` names token {id}; there are {rows}, from 0"));
        }
        let name = format!("base_model.model.{}.token_adapter.trainable_tokens_delta", model.peft_name(table.module()));
        let site = a.intercept(table);
        Ok(Self::Tokens { site, ids: ids.to_vec(), rows: a.computed(name, &[ids.len(), width], None) })
    }
}

/// `W + s·B·A`, and its rows' lengths `[out]`.
fn rescaled(cx: &Ctx, weight: Tensor, a: Weight, b: Weight, scale: f64) -> (Tensor, Tensor) {
    let sum = weight + b.get(cx).matmul(a.get(cx)) * scale;
    let rows = sum.dim(0) as i64;
    let lengths = sum.clone().pow(2.0).sum(-1).sqrt().reshape([rows]);
    (sum, lengths)
}

impl Adapted for LoraNet {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        let Part::Linear { a, b, bias, scale, magnitude, origin, .. } = &self.parts[site.index()] else {
            return cx.base(site, x);
        };
        let narrow = |x: Tensor| x.linear(a.get(cx)) * *scale;
        let Some(magnitude) = magnitude else {
            let mut base = cx.base(site, &x);
            if let Some(Origin { a, b }) = origin {
                base = base - (x.clone().linear(a.get(cx)) * *scale).linear(b.get(cx));
            }
            let added = narrow(cx.dropout(x, self.dropout)).linear(b.get(cx));
            return match bias {
                Some(bias) => base + (added + bias.get(cx) * *scale),
                None => base + added,
            };
        };
        // As in section 4.3 of the paper, no gradient flows through the lengths.
        let (_, lengths) = rescaled(cx, site.weight(cx).detach(), *a, *b, *scale);
        let factor = magnitude.get(cx) / lengths.detach();
        let base = cx.base(site, &x);
        let x = cx.dropout(x, self.dropout);
        let plain = x.clone().linear(site.weight(cx));
        base + (&factor - 1.0) * plain + factor * narrow(x).linear(b.get(cx))
    }

    fn embed(&self, cx: &Ctx, site: Site, ids: Tensor, embedded: Tensor) -> Tensor {
        match &self.parts[site.index()] {
            Part::Embedding { a, b, scale } => {
                let narrow = a.get(cx).swap_dims(0, 1).embedding(ids);
                embedded + (narrow * *scale).linear(b.get(cx))
            }
            Part::Tokens { ids: own, rows, .. } => {
                let (batch, time, width) = (embedded.dim(0), embedded.dim(1), embedded.dim(2));
                let flat = ids.reshape([-1]);
                let mut mixed = embedded.reshape([-1, width as i64]);
                for (row, id) in own.iter().enumerate() {
                    let here = flat.clone().equal_to(*id as f64).reshape([-1, 1]);
                    let own = rows.get(cx).slice(0, row, row + 1).expand([batch * time, width]);
                    mixed = here.expand([batch * time, width]).choose(own, mixed);
                }
                mixed.reshape([batch as i64, time as i64, width as i64])
            }
            Part::Linear { .. } => embedded,
        }
    }

    fn output(&self, cx: &Ctx, site: Site, hidden: Tensor) -> (Tensor, Tensor) {
        match &self.parts[site.index()] {
            Part::Linear { a, b, scale, origin, .. } => {
                let features = cx.dropout(hidden.clone(), self.dropout).linear(a.get(cx)) * *scale;
                let Some(origin) = origin else { return (features, b.get(cx)) };
                let before = hidden.linear(origin.a.get(cx)) * -*scale;
                (Tensor::concat([features, before], -1), Tensor::concat([b.get(cx), origin.b.get(cx)], 1))
            }
            _ => cx.fail("this is no projection"),
        }
    }

    fn initial(&self, cx: &Ctx, param: Weight) -> Tensor {
        for part in &self.parts {
            match part {
                Part::Linear { site, a, b, scale, magnitude, .. } if *magnitude == Some(param) => {
                    return rescaled(cx, site.weight(cx), *a, *b, *scale).1;
                }
                Part::Linear { site, a, b, scale, origin: Some(origin), .. } => {
                    if param == *a {
                        return origin.a.get(cx);
                    } else if param == *b {
                        return origin.b.get(cx);
                    } else if param == origin.a || param == origin.b {
                        return self.origin(cx, *site, *origin, param, *scale);
                    }
                }
                Part::Tokens { site, ids, rows } if *rows == param => {
                    let table = site.weight(cx);
                    return Tensor::concat(ids.iter().map(|id| table.clone().slice(0, *id, id + 1)), 0);
                }
                _ => {}
            }
        }
        cx.fail("this parameter has a start of its own")
    }

    fn merge(&self, cx: &Ctx, site: Site, module: Merged) -> Result<Merged> {
        let Merged { weight, bias, .. } = module;
        let dtype = weight.dtype();
        let weight = weight.cast(DType::F32);
        Ok(match &self.parts[site.index()] {
            Part::Linear { a, b, bias: more, scale, magnitude, origin, .. } => {
                let weight = match origin {
                    Some(origin) => weight - origin.product(cx, *scale),
                    None => weight,
                };
                let (sum, lengths) = rescaled(cx, weight, *a, *b, *scale);
                let sum = match magnitude {
                    Some(magnitude) => sum * (magnitude.get(cx) / lengths).reshape([-1, 1]),
                    None => sum,
                };
                let bias = match (bias, more) {
                    (Some(bias), Some(more)) => Some(bias + more.get(cx) * *scale),
                    (None, Some(_)) => {
                        return Err(PluginError::option(
                            "lora_bias",
                            "cannot be folded into a projection without a bias",
                        ));
                    }
                    (bias, None) => bias,
                };
                Merged::new(sum.cast(dtype), bias)
            }
            Part::Embedding { a, b, scale } => {
                let sum = weight + (b.get(cx).matmul(a.get(cx)) * *scale).swap_dims(0, 1);
                Merged::new(sum.cast(dtype), bias)
            }
            Part::Tokens { ids, rows, .. } => {
                let count = weight.dim(0);
                let all = weight.arange(0, count).reshape([-1, 1]);
                let width = weight.dim(1);
                let mut sum = weight;
                for (row, id) in ids.iter().enumerate() {
                    let here = all.clone().equal_to(*id as f64).expand([count, width]);
                    sum = here.choose(rows.get(cx).slice(0, row, row + 1).expand([count, width]), sum);
                }
                Merged::new(sum.cast(dtype), bias)
            }
        })
    }

    /// `[A | A₀]` and `[B | −B₀]`, whose product is that of `A` and `B` less that of their start.
    fn saved(&self, cx: &Ctx) -> Vec<Tensor> {
        let both = |part: &Part| match part {
            Part::Linear { a, b, origin: Some(origin), .. } => vec![
                Tensor::concat([a.get(cx), origin.a.get(cx)], 0),
                Tensor::concat([b.get(cx), -origin.b.get(cx)], 1),
            ],
            _ => Vec::new(),
        };
        self.parts.iter().flat_map(both).collect()
    }
}

impl LoraNet {
    /// One half of a module's [`Origin`].
    fn origin(&self, cx: &Ctx, site: Site, origin: Origin, param: Weight, scale: f64) -> Tensor {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, b)) = found.take_if(|(of, _)| *of == param) {
            return b;
        }
        let rank = origin.a.get(cx).dim(0);
        let (a, b) = Origin::factors(site.weight(cx), rank, scale);
        if param == origin.b {
            return b;
        }
        *found = Some((origin.b, b));
        a
    }
}
