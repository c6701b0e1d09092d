//! By index.

use super::{
    super::{
        groups, transfer,
        value::{About, Data, R, Value, reshaped},
    },
    Operands, axis,
};
use burn::tensor::{IndexingUpdateOp, Int, Tensor as Burn, module};
use framework_core::{Op, PluginError, Result, ffi::HostTensor};

fn list(x: Value) -> Result<Burn<1, Int>> {
    let n = x.dims().iter().product::<usize>();
    Ok(reshaped!(x.into_int()?, [n]))
}

pub(super) fn index(op: &Op, x: Value, mut rest: Operands) -> Result<Value> {
    let rank = x.rank;
    match op {
        Op::Embedding => {
            let [_, _, _, n, width] = x.dims();
            let ids = rest.next()?;
            let [_, _, _, batch, time] = ids.dims();
            let rows = match x.as_stored() {
                Some(stored) => {
                    let tracked = x.is_tracked();
                    let rows = stored.rows(ids.into_int()?.inner().reshape([batch * time]))?;
                    if tracked { rows.autodiff() } else { rows }.reshape([batch, time, width])
                }
                None => {
                    let table = x.into_float()?.reshape([n, width]);
                    module::embedding(table, ids.into_int()?.reshape([batch, time]))
                }
            };
            Ok(Value::float(rows.reshape([1, 1, batch, time, width]), 3))
        }
        Op::Gather { dim } => {
            let dim = axis(*dim, &x)?;
            let indices = rest.next()?.into_int()?;
            match x.into_data() {
                Data::Float(t) => Ok(Value::float(t.gather(dim, indices), rank)),
                Data::Int(t) => Ok(Value::int(t.gather(dim, indices), rank)),
                Data::Bool(_) => Err(PluginError::new("masks cannot be gathered")),
            }
        }
        Op::IndexSelect { dim } => {
            let dim = axis(*dim, &x)?;
            let indices = list(rest.next()?)?;
            match x.into_data() {
                Data::Float(t) => Ok(Value::float(t.select(dim, indices), rank)),
                Data::Int(t) => Ok(Value::int(t.select(dim, indices), rank)),
                Data::Bool(_) => Err(PluginError::new("masks cannot be selected from")),
            }
        }
        Op::IndexAdd { dim } => {
            let dim = axis(*dim, &x)?;
            let (indices, values) = (list(rest.next()?)?, rest.next()?.into_float()?);
            Ok(Value::float(x.into_float()?.select_assign(dim, indices, values, IndexingUpdateOp::Add), rank))
        }
        Op::NonZero => {
            if rank != 1 {
                return Err(PluginError::new(format!("non_zero takes one dimension, not {:?}", x.shape())));
            }
            if let Some(About::Equal(mask)) = &x.about {
                return Ok(Value::int(groups::index(mask.places()?), 1));
            }
            let n = x.dims()[R - 1];
            transfer::waited();
            let found = x.into_bool()?.reshape([n]).argwhere();
            let count = found.dims()[0];
            Ok(Value::int(reshaped!(found, [1, 1, 1, 1, count]), 1))
        }
        _ => Err(PluginError::new(format!("{op:?} does not index"))),
    }
}
