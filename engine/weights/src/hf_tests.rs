use super::*;
use safetensors::{Dtype, tensor::TensorView};
use std::fs;

/// Writes a file with the safetensors library: name, format, shape, bytes.
pub(crate) fn store(path: &Path, tensors: &[(&str, Dtype, &[usize], &[u8])]) {
    let views = tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.to_vec(), b).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), r#"{"model_type": "gpt_neox"}"#).unwrap();
    dir
}

fn index(dir: &Path, map: &Value) {
    fs::write(dir.join("model.safetensors.index.json"), serde_json::json!({ "weight_map": map }).to_string()).unwrap();
}

fn opened(dir: &Path) -> String {
    ModelFolder::open(dir).unwrap_err().to_string()
}

#[test]
fn one_file() {
    let dir = folder();
    let half = [0x3f80u16, 0x4000].map(u16::to_le_bytes).concat();
    store(
        &dir.path().join("model.safetensors"),
        &[
            ("gpt_neox.w", Dtype::BF16, &[2], &half),
            ("gpt_neox.layers.0.attention.bias", Dtype::BOOL, &[1], &[1]),
            ("gpt_neox.layers.0.attention.rotary_emb.inv_freq", Dtype::F32, &[1], &[0; 4]),
            ("extra", Dtype::F32, &[1], &[0; 4]),
        ],
    );
    let model = ModelFolder::open(dir.path()).unwrap();
    assert_eq!(model.config()["model_type"], "gpt_neox");
    assert_eq!(model.tensor_shaped("gpt_neox.w", &[2]).unwrap(), [1.0, 2.0]);
    assert_eq!(model.bytes("gpt_neox.w").unwrap(), half);
    assert!(model.info("embed_out.weight").is_none());
    assert_eq!(model.unexpected(|name| name == "gpt_neox.w"), ["extra"]);
    let e = model.tensor("gpt_neox.v").unwrap_err();
    assert!(e.exit_code() == 2 && e.to_string().contains("`gpt_neox.w`"), "{e}");
}

#[test]
fn many_files() {
    let dir = folder();
    let numbers = [1.0f32, 2.0].map(f32::to_le_bytes);
    store(&dir.path().join("model-1.safetensors"), &[("a", Dtype::F32, &[1], &numbers[0])]);
    store(&dir.path().join("model-2.safetensors"), &[("b", Dtype::F32, &[1], &numbers[1])]);
    index(dir.path(), &serde_json::json!({ "a": "model-1.safetensors", "b": "model-2.safetensors" }));
    let model = ModelFolder::open(dir.path()).unwrap();
    assert_eq!(model.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((model.tensor("a").unwrap(), model.tensor("b").unwrap()), (vec![1.0], vec![2.0]));
    assert_eq!(model.files().count(), 2);
}

#[test]
fn an_index_does_not_lead_out_of_the_folder() {
    let dir = folder();
    for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "C:\\x", ""] {
        index(dir.path(), &serde_json::json!({ "a": name }));
        let e = opened(dir.path());
        assert!(e.contains("index.json") && e.contains("beside it"), "{e}");
    }
}

#[test]
fn an_index_that_is_wrong_is_named() {
    let dir = folder();
    store(&dir.path().join("model-1.safetensors"), &[("a", Dtype::F32, &[1], &[0; 4])]);
    index(dir.path(), &serde_json::json!({ "b": "model-1.safetensors" }));
    // Only what the model needs has to be there.
    let e = ModelFolder::open(dir.path()).unwrap().tensor("b").unwrap_err().to_string();
    assert!(
        e.contains("lists tensor `b` in model-1.safetensors, which does not have it") && e.contains("hf download"),
        "{e}"
    );
    index(dir.path(), &serde_json::json!({ "a": "model-1.safetensors", "c": "model-2.safetensors" }));
    let e = opened(dir.path());
    assert!(e.contains("1 of the 2 files that it lists are not in the folder: model-2.safetensors"), "{e}");
}

#[test]
fn other_formats_get_a_remedy() {
    let dir = folder();
    assert!(opened(dir.path()).contains("no `model.safetensors`"));
    fs::write(dir.path().join("pytorch_model.bin"), "").unwrap();
    assert!(opened(dir.path()).contains("convert it to safetensors"));
    for (name, said) in [
        ("consolidated.00.pth", "the publisher's own layout"),
        ("model-q4.GGUF", "GGUF is not read"),
        ("model-00001-of-00002.safetensors", "`model.safetensors.index.json`, which lists the parts"),
    ] {
        fs::write(dir.path().join(name), "").unwrap();
        assert!(opened(dir.path()).contains(said), "{name}: {}", opened(dir.path()));
    }
    fs::write(dir.path().join("model.safetensors"), "").unwrap();
    fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(opened(dir.path()).contains("config.json:1:"));
    fs::remove_file(dir.path().join("config.json")).unwrap();
    assert!(opened(dir.path()).contains("there is no such file"));
}
