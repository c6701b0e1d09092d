//! What augmenters that only leave records out have in common.

use framework_sdk::{PluginError, Record, Records, Result, serde_json::Value, tracing};

/// The records that `wanted` keeps, in their order. Says in the log how many `plugin` left out.
pub fn keep(
    records: Records,
    plugin: &'static str,
    mut wanted: impl FnMut(&Record) -> Result<bool> + Send + 'static,
) -> Records {
    keep_for(records, plugin, &[], move |record| Ok((!wanted(record)?).then_some(0)))
}

/// As [`keep`]; `unwanted` gives the number of the reason why a record is left out. If `reasons` have names, the log
/// tells how many were left out for each.
pub fn keep_for(
    mut records: Records,
    plugin: &'static str,
    reasons: &'static [&'static str],
    mut unwanted: impl FnMut(&Record) -> Result<Option<usize>> + Send + 'static,
) -> Records {
    let (mut read, mut dropped) = (0_u64, vec![0_u64; reasons.len().max(1)]);
    Box::new(std::iter::from_fn(move || {
        loop {
            let Some(record) = records.next() else {
                let named: Vec<_> = reasons.iter().zip(&dropped).map(|(why, n)| format!("{n} {why}")).collect();
                let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
                tracing::info!("{plugin} left out {} of {read} records{named}", dropped.iter().sum::<u64>());
                return None;
            };
            read += 1;
            match record.and_then(|record| Ok((unwanted(&record)?, record))) {
                Ok((Some(reason), _)) => dropped[reason] += 1,
                Ok((None, record)) => return Some(Ok(record)),
                Err(mut e) => {
                    if e.plugin.is_none() {
                        e.message = format!("record {read}: {}", e.message);
                    }
                    return Some(Err(e));
                }
            }
        }
    }))
}

/// A field of a record that must have it.
pub fn field<'a>(record: &'a Record, name: &str) -> Result<&'a Value> {
    record.get(name).ok_or_else(|| {
        let found = record.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        PluginError::new(format!("there is no field `{name}`; the record has {found}"))
    })
}
