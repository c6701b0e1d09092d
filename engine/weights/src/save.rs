//! Writing Hugging Face model folders.

use super::{TensorShape, pretty, write_tensors};
use framework_base::{Error, Result};
use framework_base::{Float, files::write_bytes};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, fs, path::Path};

/// The bytes of weights that go into one file; what is more goes into further ones.
pub const SHARD: u64 = 5_000_000_000;

/// Writes `config.json` and `model.safetensors`, or several files with an index, into a folder, which is made if need
/// be, so that `AutoModelForCausalLM.from_pretrained` loads it. The configuration is said to be in `format`, and a file
/// takes so many bytes of weights as `shard` says, or one tensor: see [`SHARD`].
///
/// `read` gives each tensor's numbers when its turn comes; see [`write_tensors`] for this and for the errors. A
/// vocabulary projection that is tied to the embeddings is left out of `tensors`.
pub fn save_model<'a>(
    folder: &Path,
    config: &Map<String, Value>,
    format: Float,
    tensors: &[TensorShape],
    shard: u64,
    mut read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    let mut config = config.clone();
    // transformers 5 calls it `dtype`, earlier ones `torch_dtype`; both read the older name.
    let key = if config.contains_key("dtype") { "dtype" } else { "torch_dtype" };
    config.insert(key.to_owned(), format.torch_name().into());
    let shards = shards(format, tensors, shard);
    if let [all] = shards.as_slice() {
        write_tensors(&folder.join("model.safetensors"), format, all, &mut read)?;
        return write_bytes(&folder.join("config.json"), &pretty(&config));
    }
    let mut places = Map::new();
    for (i, tensors) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
        write_tensors(&folder.join(&name), format, tensors, &mut read)?;
        places.extend(tensors.iter().map(|tensor| (tensor.name.clone(), Value::from(name.as_str()))));
    }
    places.sort_keys();
    let total: u64 = tensors.iter().map(|tensor| bytes(format, tensor)).sum();
    let index = json!({ "metadata": { "total_size": total }, "weight_map": places });
    let index = index.as_object().map(pretty).unwrap_or_default();
    write_bytes(&folder.join("model.safetensors.index.json"), &index)?;
    write_bytes(&folder.join("config.json"), &pretty(&config))
}

fn bytes(format: Float, tensor: &TensorShape) -> u64 {
    (tensor.shape.iter().product::<usize>() * format.size()) as u64
}

/// The tensors of each file, in their order.
fn shards(format: Float, tensors: &[TensorShape], limit: u64) -> Vec<&[TensorShape]> {
    let (mut all, mut start, mut filled) = (Vec::new(), 0, 0);
    for (i, tensor) in tensors.iter().enumerate() {
        let size = bytes(format, tensor);
        if i > start && filled + size > limit {
            all.push(&tensors[start..i]);
            (start, filled) = (i, 0);
        }
        filled += size;
    }
    all.push(&tensors[start..]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelFolder;
    use serde_json::json;

    #[test]
    fn a_saved_folder_opens_with_the_same_tensors() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/model");
        let config = json!({ "model_type": "llama", "torch_dtype": "float32" });
        let tensors = [TensorShape { name: "lm_head.weight".into(), shape: vec![2, 1] }];
        let data = [0.5, -1.25];
        save_model(&folder, config.as_object().unwrap(), Float::F16, &tensors, SHARD, |_| Ok(Cow::Borrowed(&data)))
            .unwrap();
        let model = ModelFolder::open(&folder).unwrap();
        assert_eq!(model.tensor_shaped("lm_head.weight", &[2, 1]).unwrap(), data);
        assert_eq!(
            serde_json::to_value(model.config()).unwrap(),
            json!({ "model_type": "llama", "torch_dtype": "float16" })
        );
        assert!(!folder.join("model.safetensors.index.json").exists());
    }

    #[test]
    fn large_models_go_into_several_files() {
        let dir = tempfile::tempdir().unwrap();
        let tensor = |name: &str, rows: usize| TensorShape { name: name.into(), shape: vec![rows, 2] };
        // 8 bytes a row: two fit together, one is larger than a file is to be.
        let tensors = [tensor("z", 1), tensor("b", 1), tensor("large", 5), tensor("a", 2)];
        let read = |name: &str| {
            Ok(Cow::Owned(vec![name.len() as f32; 2 * tensors.iter().find(|t| t.name == name).unwrap().shape[0]]))
        };
        save_model(dir.path(), &Map::new(), Float::F32, &tensors, 16, read).unwrap();
        let files: Vec<_> = (1..=3).map(|i| format!("model-{i:05}-of-00003.safetensors")).collect();
        let index: Value =
            serde_json::from_slice(&fs::read(dir.path().join("model.safetensors.index.json")).unwrap()).unwrap();
        let expected = json!({ "a": files[2], "b": files[0], "large": files[1], "z": files[0] });
        assert_eq!(index, json!({ "metadata": { "total_size": 72 }, "weight_map": expected }));
        let model = ModelFolder::open(dir.path()).unwrap();
        assert_eq!(model.names().collect::<Vec<_>>(), ["a", "b", "large", "z"]);
        assert_eq!(model.tensor_shaped("large", &[5, 2]).unwrap(), [5.0; 10]);
        assert!(!dir.path().join("model.safetensors").exists());
    }
}
