//! Writing Hugging Face model folders.

use super::{Float, TensorShape, pretty, write_bytes, write_tensors};
use crate::{Error, Result};
use serde_json::{Map, Value};
use std::{borrow::Cow, fs, path::Path};

/// Writes `config.json` and `model.safetensors` into a folder, which is made if need be, so that
/// `AutoModelForCausalLM.from_pretrained` loads it. The configuration is said to be in `format`.
///
/// `read` gives each tensor's numbers when its turn comes; see [`write_tensors`] for this and for the errors. A
/// vocabulary projection that is tied to the embeddings is left out of `tensors`.
pub fn save_model<'a>(
    folder: &Path,
    config: &Map<String, Value>,
    format: Float,
    tensors: &[TensorShape],
    read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    let mut config = config.clone();
    // transformers 5 calls it `dtype`, earlier ones `torch_dtype`; both read the older name.
    let key = if config.contains_key("dtype") { "dtype" } else { "torch_dtype" };
    config.insert(key.to_owned(), format.torch_name().into());
    write_tensors(&folder.join("model.safetensors"), format, tensors, read)?;
    write_bytes(&folder.join("config.json"), &pretty(&config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::ModelFolder;
    use serde_json::json;

    #[test]
    fn a_saved_folder_opens_with_the_same_tensors() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/model");
        let config = json!({ "model_type": "llama", "torch_dtype": "float32" });
        let tensors = [TensorShape { name: "lm_head.weight".into(), shape: vec![2, 1] }];
        let data = [0.5, -1.25];
        save_model(&folder, config.as_object().unwrap(), Float::F16, &tensors, |_| Ok(Cow::Borrowed(&data))).unwrap();
        let model = ModelFolder::open(&folder).unwrap();
        assert_eq!(model.tensor_shaped("lm_head.weight", &[2, 1]).unwrap(), data);
        assert_eq!(
            serde_json::to_value(model.config()).unwrap(),
            json!({ "model_type": "llama", "torch_dtype": "float16" })
        );
    }
}
