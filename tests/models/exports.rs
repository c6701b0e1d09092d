//! What `framework export` makes of runs: folders that are read here and by transformers, with the loss of the run.

use crate::{
    golden::{Golden, plugins, repository, sources},
    run::{COURSE, Trained, adapter, examples_loss, train},
};
use framework_engine::{
    Float,
    executor::{Device, Network},
    export::{Exported, Format, Options, export, fold},
    from_folders,
    weights::{Dtype, ModelFolder, gguf::Packing},
};
use std::{env, fs, path::Path, process::Command, sync::Arc};

/// Tables of recipes, and whether the run is exported merged.
fn runs(golden: &Golden) -> [(String, bool); 3] {
    [
        (adapter(golden, "lora"), true),
        ("[adapter]\nplugin = \"lora\"\ntargets = \"all-linear\"\nbias = \"all\"\n".to_owned(), true),
        ("[adapter]\nplugin = \"full\"\n".to_owned(), false),
    ]
}

fn trained(golden: &Golden, tables: &str) -> Trained {
    let course = COURSE.replace("epochs = 2", "max_steps = 3");
    train(golden, &format!("{tables}\n[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\n{course}"))
}

fn loss(golden: &Golden, model: &Path, adapter: Option<&Path>) -> f64 {
    examples_loss(golden, &from_folders(&plugins(), model, adapter, Device::cpu()).unwrap())
}

fn write(run: &Trained, to: &Path, options: &Options) -> Exported {
    export(run.folder.root(), to, options, &sources()).unwrap().what
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and transformers reads them,
/// too.
fn read_by_transformers(golden: &Golden, model: &Path, dtype: &str, expected: f64, tolerance: &str) {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    let mut check = Command::new(&python);
    check.arg(repository().join("tests/reference/check_model.py")).arg("--model").arg(model);
    check.arg("--examples").arg(golden.path("train.json"));
    check.args(["--dtype", dtype, "--tolerance", tolerance, "--expect-loss", &expected.to_string()]);
    let output = check.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    println!("{}: here {expected}, transformers {}", golden.case, said[0].trim());
    assert!(output.status.success(), "{}", said.concat());
}

#[test]
fn whole_models_have_the_loss_of_the_run() {
    Golden::each(|golden| {
        for (tables, merge) in runs(golden) {
            let run = trained(golden, &tables);
            let end = examples_loss(golden, &run.prepared.network);
            assert_ne!(end, loss(golden, &golden.path("model"), None), "nothing was trained");
            let dir = tempfile::tempdir().unwrap();
            let to = dir.path().join("new/model");
            assert_eq!(write(&run, &to, &Options { merge, ..Options::default() }), Exported::Model);
            let found = loss(golden, &to, None);
            println!("{} {tables:?}: {end} in the run, {found} in the folder", golden.case);
            assert!((found - end).abs() < 1e-5, "{found} {end}");
            read_by_transformers(golden, &to, "float32", end, "1e-4");

            // In 16 bits, in several files.
            let to = dir.path().join("small");
            write(
                &run,
                &to,
                &Options { merge, dtype: Some(Packing::Float(Float::BF16)), shard: 4_000, ..Options::default() },
            );
            let folder = ModelFolder::open(&to).unwrap();
            assert!(folder.files().count() > 1 && folder.names().all(|n| folder.info(n).unwrap().dtype == Dtype::BF16));
            let rounded = loss(golden, &to, None);
            assert!((rounded - end).abs() < 0.05 && rounded != found, "{rounded} {end}");
            read_by_transformers(golden, &to, "bfloat16", rounded, "1e-4");
        }
    });
}

#[test]
fn adapters_have_the_loss_of_the_run() {
    let golden = Golden::open("gpt_neox/parallel");
    let run = trained(&golden, &adapter(&golden, "lora"));
    let end = examples_loss(&golden, &run.prepared.network);
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("adapter");
    assert_eq!(write(&run, &to, &Options::default()), Exported::Adapter);
    assert_eq!(loss(&golden, &golden.path("model"), Some(&to)), end);
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let [ours, theirs] = [run.folder.adapter(), to.clone()].map(|dir| std::fs::read(dir.join(file)).unwrap());
        assert!(ours == theirs, "{file}");
    }
    let half = dir.path().join("half");
    write(&run, &half, &Options { dtype: Some(Packing::Float(Float::F16)), ..Options::default() });
    assert!((loss(&golden, &golden.path("model"), Some(&half)) - end).abs() < 1e-2);
}

/// Cases that llama.cpp has no place for, and why.
const UNFIT: [(&str, &str); 6] = [
    ("gemma2/plain", "query_pre_attn_scalar"),
    ("gemma2/untied", "attention_bias"),
    ("gpt2/untied", "scale_attn_by_inverse_layer_idx"),
    ("llama/dynamic", "dynamic"),
    ("mamba", "known are llama"),
    ("qwen3/windows", "attention_bias"),
];

/// A copy of a case's model with a tokenizer that GGUF has room for: a byte-level one, of no more tokens than the model's
/// embeddings.
fn with_tokenizer(golden: &Golden, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for file in fs::read_dir(golden.path("model")).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let vocab = golden.network("model", None).spec().vocab_size;
    // As many characters as there are embeddings; others have no token.
    let first: Vec<_> = ('a'..='z').chain("ĠWTF?.".chars()).chain('0'..='9').take(vocab - 2).collect();
    let tokens = ["<|endoftext|>", "th"].map(str::to_owned).into_iter().chain(first.iter().map(char::to_string));
    let vocab: serde_json::Map<_, _> = tokens.zip(0u32..).map(|(token, id)| (token, id.into())).collect();
    let level =
        serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let file = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": level,
        "post_processor": null, "decoder": level,
        "added_tokens": [{ "id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true }],
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": [["t", "h"]] },
    });
    fs::write(folder.join("tokenizer.json"), file.to_string()).unwrap();
    fs::write(folder.join("tokenizer_config.json"), r#"{"eos_token": "<|endoftext|>"}"#).unwrap();
    // The golden folders name end tokens of their own.
    let _ = fs::remove_file(folder.join("generation_config.json"));
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and the gguf package reads the
/// same tensors and numbers.
fn read_by_the_gguf_package(golden: &Golden, folder: &Path, file: &str, packing: Packing) {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    let mut check = Command::new(&python);
    check.arg(repository().join("tests/reference/check_gguf.py")).arg("--gguf").arg(folder.join(file));
    check.arg("--model").arg(golden.path("model")).args((packing == Packing::Q8).then_some("--q8"));
    let output = check.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    println!("{}: {}", golden.case, said[0].trim());
    assert!(output.status.success(), "{}", said.concat());
}

/// Tokens that follow in greedy decoding, without a cache.
fn greedy(network: &Arc<Network>, mut ids: Vec<u32>, count: usize) -> Vec<u32> {
    let (start, vocab) = (ids.len(), network.spec().vocab_size);
    while ids.len() < start + count {
        let logits = network.logits(ids.iter().map(|id| *id as i32).collect(), 1).unwrap();
        let last = &logits[logits.len() - vocab..];
        ids.push((0..vocab).max_by(|a, b| last[*a].total_cmp(&last[*b])).unwrap() as u32);
    }
    ids.split_off(start)
}

/// Set `FRAMEWORK_LLAMA_CPP` to a Python with llama-cpp-python 0.3.36, and llama.cpp goes on with the same tokens.
fn continued_by_llama_cpp(golden: &Golden, file: &Path, notes: &[String]) {
    let Some(python) = env::var_os("FRAMEWORK_LLAMA_CPP") else { return };
    // Within a window, and beyond the length at which LongRoPE changes: llama.cpp's contexts are longer.
    let (length, count) = match notes.first() {
        Some(note) if note.contains("window") => (3, 1),
        Some(_) => (70, 12),
        None => (6, 12),
    };
    let positions = golden.network("model", None).spec().max_positions.unwrap_or(usize::MAX);
    let ids: Vec<u32> = (0..length.min(positions - count) as u32).map(|i| 3 + (7 * i + i * i) % 31).collect();
    let expected = greedy(&golden.network("model", None), ids.clone(), count);
    let mut check = Command::new(python);
    check.arg(repository().join("tests/reference/check_llama_cpp.py")).arg("--gguf").arg(file);
    check.arg("--ids").arg(format!("{ids:?}")).arg("--expect").arg(format!("{expected:?}"));
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}: llama.cpp goes on with {expected:?}, too", golden.case);
}

/// An adapter whose merged weights are not what it computes.
mod crooked {
    use framework_sdk::prelude::*;

    options! {
        /// Scales what projections give, and forgets it when it is merged.
        pub struct Crooked {}
    }

    pub struct Scales(Vec<Weight>);

    impl Adapter for Crooked {
        type Net = Scales;

        fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Scales> {
            let scale = |weight: &Param| {
                a.intercept(weight);
                let name = format!("{}.scale", weight.module());
                a.param(name, &[weight.shape[0]], Init::Constant(1.5), weight.block)
            };
            let scales = Scales(model.linears().map(scale).collect());
            a.peft_config(json!({ "peft_type": "CROOKED" }));
            Ok(scales)
        }
    }

    impl Adapted for Scales {
        fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
            cx.base(site, x) * self.0[site.index()].get(cx)
        }

        fn merge(&self, _cx: &Ctx, _site: Site, module: Merged) -> Result<Merged> {
            Ok(module)
        }
    }

    register!(adapter "crooked" => Crooked, example = "");
}

#[test]
fn a_model_that_is_not_what_was_trained_is_not_left_behind() {
    let golden = Golden::open("gpt_neox/parallel");
    let run = trained(&golden, "[adapter]\nplugin = \"crooked\"\n");
    let dir = tempfile::tempdir().unwrap();
    let options = Options { merge: true, ..Options::default() };
    let e = export(run.folder.root(), &dir.path().join("model"), &options, &sources()).unwrap_err();
    assert_eq!(e.exit_code(), 1, "{e}");
    assert!(e.to_string().contains("what was written is not what was trained: logits differ by up to"), "{e}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "neither under its name nor under another");
}

#[test]
fn gguf_files_hold_the_models_of_all_families() {
    Golden::each(|golden| {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("model");
        with_tokenizer(golden, &model);
        let to = |packing| Options { format: Format::Gguf, dtype: Some(packing), ..Options::default() };
        let write = |name: &str, packing| fold(&model, None, &dir.path().join(name), &to(packing), &sources());
        if let Some((_, reason)) = UNFIT.iter().find(|(case, _)| golden.case.starts_with(case)) {
            let e = write("refused", Packing::Float(Float::F32)).unwrap_err();
            assert!(e.exit_code() == 2 && e.to_string().contains(reason), "{e}");
            assert!(!dir.path().join("refused").exists());
            return;
        }
        for packing in [Packing::Float(Float::F32), Packing::Q8] {
            let report = write(packing.name(), packing).unwrap();
            let manifest = &report.manifest;
            println!("{} {}: {:?}", golden.case, manifest.dtype, manifest.logits);
            assert!(manifest.tensors > 10 && manifest.logits.spread > 0.0 && report.commands.len() == 2);
            if packing == Packing::Float(Float::F32) {
                assert!(manifest.logits.largest < 5e-3 * manifest.logits.spread, "{:?}", manifest.logits);
                assert_eq!(manifest.answer.run, manifest.answer.exported);
            }
            if packing == Packing::Float(Float::F32) {
                let file = dir.path().join(packing.name()).join(manifest.file.as_ref().unwrap());
                continued_by_llama_cpp(golden, &file, &manifest.notes);
            }
            read_by_the_gguf_package(
                golden,
                &dir.path().join(packing.name()),
                manifest.file.as_ref().unwrap(),
                packing,
            );
        }
    });
}
