//! Adapter folders in PEFT's own format.

use super::{TensorFile, TensorShape, at, pretty, read_object, write_tensors};
use framework_base::{Error, Result};
use framework_base::{Float, files::write_bytes};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

const EXPECTED: &str =
    "expected an adapter folder as PEFT saves it: `adapter_config.json` and `adapter_model.safetensors`";

/// What to do about adapters that only PEFT can use.
/// What is advised for an adapter that cannot be read.
pub const MERGE_ELSEWHERE: &str = "fold it into its model with PEFT, and use that: \
    `PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(MODEL), ADAPTER).merge_and_unload().save_pretrained(FOLDER)`";

/// An adapter folder's `adapter_config.json`.
pub fn adapter_config(folder: &Path) -> Result<Map<String, Value>> {
    read_object(&folder.join("adapter_config.json"), EXPECTED)
}

/// A tensor's name without PEFT's name of the adapter, which other tools' files may have: `lora_A.default.weight`.
fn plain(name: &str) -> String {
    let parts: Vec<_> = name.split('.').collect();
    match parts.as_slice() {
        [.., matrix, "default", _] if matrix.starts_with("lora_") => name.replacen(".default.", ".", 1),
        _ => name.to_owned(),
    }
}

/// A folder with `adapter_config.json` and `adapter_model.safetensors`.
#[derive(Debug)]
pub struct AdapterFolder {
    folder: PathBuf,
    /// `adapter_config.json`.
    pub config: Map<String, Value>,
    /// `adapter_model.safetensors`, under PEFT's names, e.g.
    /// `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub tensors: TensorFile,
}

impl AdapterFolder {
    /// Opens a folder.
    ///
    /// # Errors
    /// Missing or damaged files, or weights in another format: [`Error::Invalid`] with the file.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = adapter_config(folder)?;
        let file = folder.join("adapter_model.safetensors");
        if !file.exists() {
            let problem = at(&file, "there is no such file");
            return Err(Error::invalid(match folder.join("adapter_model.bin").exists() {
                true => problem.help(
                    "found adapter_model.bin; convert it to safetensors: `PeftModel.from_pretrained(MODEL, FOLDER).save_pretrained(FOLDER)`",
                ),
                false => problem.help(EXPECTED),
            }));
        }
        Ok(Self { folder: folder.to_owned(), config, tensors: TensorFile::open(&file)?.renamed(plain) })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The base model that the adapter says it belongs to.
    pub fn base_model(&self) -> Option<&str> {
        self.config.get("base_model_name_or_path")?.as_str()
    }
}

/// Writes `adapter_config.json` and `adapter_model.safetensors` into a folder, which is made if need be, so that
/// `PeftModel.from_pretrained` loads it. The same adapter gives the same bytes.
///
/// `config` is PEFT's configuration, to which the base model is added; its keys are sorted as PEFT sorts them. The
/// tensors are named as PEFT names them; see [`write_tensors`] for `read` and for the errors.
pub fn save_adapter<'a>(
    folder: &Path,
    config: &Map<String, Value>,
    base_model: Option<&str>,
    format: Float,
    tensors: &[TensorShape],
    read: impl FnMut(&str) -> Result<Cow<'a, [f32]>>,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
    let mut config = config.clone();
    config.insert("base_model_name_or_path".into(), base_model.into());
    config.sort_keys();
    write_tensors(&folder.join("adapter_model.safetensors"), format, tensors, read)?;
    write_bytes(&folder.join("adapter_config.json"), &pretty(&config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NAME: &str = "base_model.model.gpt_neox.layers.0.attention.dense.lora_A.weight";

    fn save(folder: &Path, config: &Value) {
        let tensors = [TensorShape { name: NAME.into(), shape: vec![1, 2] }];
        let read = |_: &str| Ok(Cow::Owned(vec![1.0, 2.0]));
        save_adapter(folder, config.as_object().unwrap(), Some("EleutherAI/pythia-14m"), Float::F32, &tensors, read)
            .unwrap();
    }

    #[test]
    fn a_saved_adapter_opens_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), &json!({ "r": 8, "peft_type": "LORA" }));
        let adapter = AdapterFolder::open(dir.path()).unwrap();
        assert_eq!(adapter.base_model(), Some("EleutherAI/pythia-14m"));
        assert_eq!(adapter.config.keys().collect::<Vec<_>>(), ["base_model_name_or_path", "peft_type", "r"]);
        assert_eq!(adapter.tensors.tensor_shaped(NAME, &[1, 2]).unwrap(), [1.0, 2.0]);
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        save(a.path(), &json!({ "r": 8, "peft_type": "LORA" }));
        save(b.path(), &json!({ "peft_type": "LORA", "r": 8 }));
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            assert_eq!(fs::read(a.path().join(name)).unwrap(), fs::read(b.path().join(name)).unwrap());
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let said = || AdapterFolder::open(dir.path()).unwrap_err().to_string();
        assert!(said().contains("adapter_config.json: there is no such file"));
        fs::write(dir.path().join("adapter_config.json"), "{}").unwrap();
        assert!(said().contains("adapter_model.safetensors: there is no such file"));
        fs::write(dir.path().join("adapter_model.bin"), "").unwrap();
        assert!(said().contains("convert it to safetensors"));
    }
}
