//! States of optimizers: how they are kept, and in checkpoints.

use framework_base::{Error, Problem, Result};
use framework_core::{StateSpec, ffi::HostTensor};
use framework_executor::{Device, Raw, Storage, Value};
use framework_weights::{Dtype, TensorFile, TensorShape, write_mixed};
use std::{borrow::Cow, collections::BTreeMap, path::Path};

/// The end of the names of a coded state's scales.
const SCALES: &str = ".scales";

/// How a state is kept between updates.
///
/// # Errors
/// A number format that is not known here: [`Error::Invalid`] about the optimizer.
pub(crate) fn storage(state: &StateSpec) -> Result<Storage> {
    match state.storage.as_deref() {
        None | Some("f32") => Ok(Storage::F32),
        Some("dynamic8") => Ok(Storage::Dynamic8 { signed: true }),
        Some("dynamic8-unsigned") => Ok(Storage::Dynamic8 { signed: false }),
        Some(other) => {
            let message = format!("the optimizer keeps `{}` as `{other}`, which is not known here", state.name);
            let help = "Use another optimizer, or update the framework.";
            Err(Error::invalid(Problem::new(message).key("optimizer.plugin").help(help)))
        }
    }
}

/// A state at its start.
pub(crate) fn initial(state: &StateSpec, device: &Device) -> Result<Value> {
    Ok(Value::full(&state.shape, state.initial, device)?.kept(storage(state)?)?)
}

/// Writes states by their names: those of 32 bits as they are, codes of others as bytes, with their scales beside them.
pub(crate) fn write<'a>(path: &Path, states: impl Iterator<Item = (String, &'a Value)>) -> Result<()> {
    let (mut tensors, mut coded, mut plain) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (name, value) in states {
        let Some(Raw { words, scales }) = value.raw()? else {
            tensors.push((TensorShape { name: name.clone(), shape: value.shape() }, Dtype::F32));
            plain.insert(name, value);
            continue;
        };
        let (codes, scales) = (words.into_iter().flat_map(i32::to_le_bytes).collect(), bytes(&scales));
        for (name, dtype, bytes) in [(name.clone(), Dtype::U8, codes), (name + SCALES, Dtype::F32, scales)] {
            let shape = vec![bytes.len() * 8 / dtype.bitsize()];
            tensors.push((TensorShape { name: name.clone(), shape }, dtype));
            coded.insert(name, bytes);
        }
    }
    write_mixed(path, &tensors, |name| match plain.get(name) {
        Some(value) => Ok(Cow::Owned(bytes(&value.to_f32()?))),
        None => Ok(Cow::Borrowed(&coded[name])),
    })
}

/// A state, as [`write`] wrote it.
pub(crate) fn read(file: &TensorFile, name: &str, state: &StateSpec, device: &Device) -> Result<Value> {
    let (shape, storage) = (&state.shape, storage(state)?);
    if storage == Storage::F32 {
        return Ok(Value::from_f32(file.tensor_shaped(name, shape)?, shape, device)?);
    }
    let words = file.bytes(name)?.as_chunks::<4>().0.iter().map(|word| i32::from_le_bytes(*word)).collect();
    let raw = Raw { words, scales: file.tensor(&format!("{name}{SCALES}"))? };
    Ok(Value::from_raw(raw, shape, storage, device)?)
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_were_written() {
        let (dir, device) = (tempfile::tempdir().unwrap(), Device::cpu());
        let path = dir.path().join("x.safetensors");
        let specs = [StateSpec::new("a", &[3]).starting_at(0.5), StateSpec::new("b", &[20, 30]).stored("dynamic8")];
        let numbers = (0..600).map(|i| ((i * i) % 97) as f32 - 40.0).collect();
        let b = Value::from_f32(numbers, &[20, 30], &device).unwrap().kept(storage(&specs[1]).unwrap()).unwrap();
        let values = [initial(&specs[0], &device).unwrap(), b];
        write(&path, specs.iter().map(|spec| spec.name.clone()).zip(&values)).unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b", "b.scales"]);
        for (spec, value) in specs.iter().zip(&values) {
            let again = read(&file, &spec.name, spec, &device).unwrap();
            assert_eq!((again.shape(), again.raw().unwrap()), (value.shape(), value.raw().unwrap()));
            assert_eq!(again.to_f32().unwrap(), value.to_f32().unwrap());
        }
        assert_eq!(values[0].to_f32().unwrap(), [0.5; 3]);
    }

    #[test]
    fn an_unknown_format_is_named() {
        let e = storage(&StateSpec::new("m", &[1]).stored("dynamic4")).unwrap_err().to_string();
        assert!(e.contains("`m` as `dynamic4`"), "{e}");
    }
}
