//! Rotary settings as `config.json` has them.

use framework_sdk::{
    PluginError, Result,
    serde_json::{Map, Value},
};

/// Theta and partial factor from `rope_parameters` (transformers 5) or `rope_scaling` (before it), whichever is given.
/// Any type of scaling is refused.
pub fn unscaled(tables: [&Option<Map<String, Value>>; 2]) -> Result<[Option<f64>; 2]> {
    let entries = || tables.into_iter().flatten().flatten().filter(|(_, value)| !value.is_null());
    if let Some((_, kind)) =
        entries().find(|(key, value)| matches!(key.as_str(), "rope_type" | "type") && *value != "default")
    {
        let message = format!("the rotary embedding is of type {kind}; only \"default\" is supported");
        return Err(PluginError::new(message));
    }
    let mut found = [None; 2];
    for (key, value) in entries() {
        let slot = match key.as_str() {
            "rope_type" | "type" => continue,
            "rope_theta" => &mut found[0],
            "partial_rotary_factor" => &mut found[1],
            _ => return Err(PluginError::new(format!("`{key}` of the rotary embedding is not supported"))),
        };
        let number = value.as_f64();
        *slot = Some(number.ok_or_else(|| PluginError::new(format!("`{key}` must be a number, not {value}")))?);
    }
    Ok(found)
}

/// The value that is given under one or more of these names, which must agree.
pub fn one_of(names: &[(&str, Option<f64>)], default: f64) -> Result<f64> {
    let mut given = names.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    let Some((name, value)) = given.next() else { return Ok(default) };
    match given.find(|(_, other)| *other != value) {
        None => Ok(value),
        Some((other, differs)) => Err(PluginError::new(format!("`{name}` is {value}, but `{other}` is {differs}"))),
    }
}
