//! What augmenters that change texts have in common.

use framework_sdk::{PluginError, Record, Records, Result, serde_json::Value, tracing};

/// Applies `change` to the texts in these `fields`, however deep; to those of all fields if none is named. It says in
/// the log how many records `plugin` changed. A field that is named must be there.
pub fn change(
    mut records: Records,
    plugin: &'static str,
    fields: Vec<String>,
    change: impl Fn(&str) -> String + Send + 'static,
) -> Records {
    let (mut read, mut changed) = (0_u64, 0_u64);
    Box::new(std::iter::from_fn(move || {
        let Some(record) = records.next() else {
            tracing::info!("{plugin} changed {changed} of {read} records");
            return None;
        };
        read += 1;
        Some(record.and_then(|mut record| {
            let mut different = false;
            for_each(&mut record, &fields, |text| {
                let new = change(text);
                different |= new != *text;
                *text = new;
            })
            .map_err(|e| PluginError::new(format!("record {read}: {}", e.message)))?;
            changed += u64::from(different);
            Ok(record)
        }))
    }))
}

/// Calls `f` with every text in these fields, however deep.
pub fn for_each(record: &mut Record, fields: &[String], mut f: impl FnMut(&mut String)) -> Result<()> {
    if fields.is_empty() {
        record.values_mut().for_each(|value| deep(value, &mut f));
    }
    for name in fields {
        let found = record.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        let missing = || PluginError::new(format!("there is no field `{name}`; the record has {found}"));
        deep(record.get_mut(name).ok_or_else(missing)?, &mut f);
    }
    Ok(())
}

fn deep(value: &mut Value, f: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => f(text),
        Value::Array(values) => values.iter_mut().for_each(|value| deep(value, f)),
        Value::Object(fields) => fields.values_mut().for_each(|value| deep(value, f)),
        _ => {}
    }
}

/// A character of Chinese, Japanese or Korean writing, or its punctuation.
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}
