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
    assert!(opened(dir.path()).contains("tensor `b` is not in model-1.safetensors"));
    index(dir.path(), &serde_json::json!({ "a": "model-2.safetensors" }));
    assert!(opened(dir.path()).contains("model-2.safetensors: cannot be read"));
}

#[test]
fn other_formats_get_a_remedy() {
    let dir = folder();
    assert!(opened(dir.path()).contains("no `model.safetensors`"));
    fs::write(dir.path().join("pytorch_model.bin"), "").unwrap();
    assert!(opened(dir.path()).contains("convert it to safetensors"));
    fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(opened(dir.path()).contains("config.json:1:"));
    fs::remove_file(dir.path().join("config.json")).unwrap();
    assert!(opened(dir.path()).contains("there is no such file"));
}
