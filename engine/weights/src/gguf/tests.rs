use super::*;
use crate::{ModelFolder, TensorShape};
use framework_base::Float;
use std::{borrow::Cow, fs, path::PathBuf};

/// Golden models that GGUF has room for.
const CASES: &[&str] = &[
    "llama/plain",
    "llama/linear",
    "llama/llama3",
    "mistral/heads",
    "mistral/window",
    "mixtral/two",
    "qwen2/plain",
    "qwen2/yarn",
    "qwen2/windows",
    "qwen3/plain",
    "phi3/short",
    "phi3/long",
    "phi3/window",
    "gemma2/plain",
    "gemma3_text/plain",
    "gemma3_text/linear",
    "gpt_neox/parallel",
    "gpt_neox/sequential",
    "gpt_neox/tied",
    "gpt2/plain",
];

fn golden(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(case).join("model")
}

fn kind(folder: &ModelFolder) -> String {
    folder.config()["model_type"].as_str().unwrap().to_owned()
}

/// The tensors of a folder under the names that its architecture has.
fn tensors(folder: &ModelFolder) -> Vec<TensorShape> {
    let named = |name: &str| TensorShape { name: name.to_owned(), shape: folder.info(name).unwrap().shape.clone() };
    let tied = folder.config().get("tie_word_embeddings").is_some_and(|tied| tied == true);
    let used = |name: &&str| !(name.contains("rotary_emb") || (tied && *name == "lm_head.weight"));
    folder.names().filter(used).map(named).collect()
}

fn written(case: &str, packing: Packing) -> (ModelFolder, tempfile::TempDir, PathBuf) {
    let mut folder = ModelFolder::open(&golden(case)).unwrap();
    if let Some(size) = folder.config().get("query_pre_attn_scalar").and(folder.config().get("head_dim")).cloned() {
        // The golden models of Gemma have a scale of their own, for which llama.cpp has no place.
        folder.set("query_pre_attn_scalar", Some(size));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let model = convert(&kind(&folder), folder.config(), &tensors(&folder)).unwrap();
    let mut entries = Entries::default();
    entries.put("general.architecture", model.entries.0[0].0.split('.').next().unwrap());
    entries.0.extend(model.entries.0);
    let place = |place: &Place| GgufTensor {
        name: place.name.clone(),
        shape: place.shape.clone(),
        packing: place.packing(packing),
    };
    let all: Vec<_> = model.places.iter().map(place).collect();
    write_gguf(&path, &entries, &all, |i| model.places[i].numbers(|name| Ok(Cow::Owned(folder.tensor(name)?))))
        .unwrap();
    (folder, dir, path)
}

#[test]
fn every_architecture_is_read_as_it_was_written() {
    for case in CASES {
        let (folder, _dir, path) = written(case, Packing::Float(Float::F32));
        let mut model = GgufModel::open(&path).unwrap();
        let tensors = tensors(&folder);
        model.expect(&tensors).unwrap();
        for tensor in &tensors {
            let (found, expected) = (model.tensor(&tensor.name).unwrap(), folder.tensor(&tensor.name).unwrap());
            // Gemma's norms go through a sum with 1.
            let near = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1.2e-7);
            assert!(found.len() == expected.len() && near, "{case}: {}", tensor.name);
        }
        for key in
            ["vocab_size", "hidden_size", "num_hidden_layers", "n_embd", "intermediate_size", "num_local_experts"]
        {
            let (found, expected) = (model.config().get(key), folder.config().get(key));
            assert!(expected.is_none() || found == expected, "{case}: {key} is {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn tensors_are_stored_as_wide_as_llama_cpp_wants_them() {
    let (_folder, _dir, path) = written("mixtral/two", Packing::Float(Float::BF16));
    let file = GgufFile::open(&path).unwrap();
    let format = |name: &str| file.info(name).unwrap().packing.name();
    assert_eq!(format("blk.0.attn_norm.weight"), "F32");
    assert_eq!(format("blk.1.ffn_gate_inp.weight"), "F32");
    assert_eq!(format("blk.1.ffn_gate_exps.weight"), "BF16");
    assert_eq!(file.info("blk.1.ffn_gate_exps.weight").unwrap().shape, [4, 20, 16]);
    assert_eq!(file.entries().get("llama.expert_count"), Some(&Meta::U32(4)));

    let (folder, _dir, path) = written("gpt_neox/parallel", Packing::Q8);
    let mut model = GgufModel::open(&path).unwrap();
    model.expect(&tensors(&folder)).unwrap();
    let name = "gpt_neox.layers.0.mlp.dense_4h_to_h.weight";
    assert_eq!(model.file().info("blk.0.ffn_down.weight").unwrap().packing, Packing::Q8);
    let (found, expected) = (model.tensor(name).unwrap(), folder.tensor(name).unwrap());
    let most = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    let off = found.iter().zip(&expected).fold(0f32, |off, (a, b)| off.max((a - b).abs()));
    assert!(off > 0.0 && off <= most / 127.0, "{off} of {most}");
}

#[test]
fn models_that_have_no_place_are_refused_with_the_reason() {
    let said = |case: &str| {
        let folder = ModelFolder::open(&golden(case)).unwrap();
        convert(&kind(&folder), folder.config(), &tensors(&folder)).unwrap_err().to_string()
    };
    for (case, reason) in [
        ("mamba/plain", "known are llama, mistral, mixtral, qwen2, qwen3, phi3, gemma2, gemma3_text, gpt_neox, gpt2"),
        ("llama/dynamic", "the type dynamic"),
        ("qwen3/windows", "`attention_bias`"),
        ("gemma2/untied", "`attention_bias`"),
        ("gemma2/plain", "`query_pre_attn_scalar`"),
        ("gpt2/untied", "`scale_attn_by_inverse_layer_idx`"),
    ] {
        let said = said(case);
        assert!(said.contains(reason) && said.contains("--format hf"), "{case}: {said}");
    }
    let folder = ModelFolder::open(&golden("mistral/window")).unwrap();
    let model = convert("mistral", folder.config(), &tensors(&folder)).unwrap();
    assert!(model.differs.is_some_and(|(tokens, note)| tokens == 4 && note.contains("sliding window")));
}

#[test]
fn what_is_cut_off_or_changed_is_an_error() {
    let (_folder, dir, path) = written("qwen3/plain", Packing::Float(Float::F16));
    let whole = fs::read(&path).unwrap();
    let other = dir.path().join("other.gguf");
    let said = |bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        let e = GgufFile::open(&other).unwrap_err();
        assert_eq!(e.exit_code(), 2);
        e.to_string()
    };
    for length in [3, 20, 100, whole.len() / 2, whole.len() - 40] {
        assert!(said(&whole[..length]).contains("is not a whole GGUF file"), "{length}");
    }
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        said(&bytes)
    };
    assert!(changed(0, b'g').contains("does not begin with `GGUF`"));
    assert!(changed(4, 2).contains("version 2"));
    assert!(changed(15, 255).contains("its end is missing"), "a number of tensors that no file has");
}

/// The blocks that gguf 0.19.0 makes of the same numbers: tests/reference/gguf_blocks.py.
#[test]
fn blocks_are_those_of_the_gguf_package() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gguf/blocks.safetensors");
    let file = crate::TensorFile::open(&folder).unwrap();
    for (name, packing) in
        [("q8_0", Packing::Q8), ("bf16", Packing::Float(Float::BF16)), ("f16", Packing::Float(Float::F16))]
    {
        let numbers = file.tensor("numbers").unwrap();
        assert!(packing.encode(&numbers).unwrap() == file.bytes(name).unwrap(), "{name}");
        let decoded = packing.decode(file.bytes(name).unwrap());
        assert!(decoded == file.tensor(&format!("{name}.decoded")).unwrap(), "{name}");
    }
}
