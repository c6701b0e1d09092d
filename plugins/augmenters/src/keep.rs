//! What augmenters that only leave records out have in common.

use framework_sdk::{PluginError, Record, Records, Result, serde_json::Value, tracing};

/// The records that `wanted` keeps, in their order. Says in the log how many `plugin` left out.
pub fn keep(
    mut records: Records,
    plugin: &'static str,
    mut wanted: impl FnMut(&Record) -> Result<bool> + Send + 'static,
) -> Records {
    let (mut read, mut dropped) = (0_u64, 0_u64);
    Box::new(std::iter::from_fn(move || {
        loop {
            let Some(record) = records.next() else {
                tracing::info!("{plugin} left out {dropped} of {read} records");
                return None;
            };
            read += 1;
            match record.and_then(|record| Ok(wanted(&record)?.then_some(record))) {
                Ok(None) => dropped += 1,
                Ok(Some(record)) => return Some(Ok(record)),
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
