//! Training runs on golden examples, through everything that `framework train` goes through but the command line.

use crate::golden::{Golden, sources};
use framework_engine::{
    Session,
    data::{Batch, Corpus},
    executor::Network,
    run::{RunFolder, read_metrics},
    train::{self, Event, Prepared, Preparing},
};
use serde_json::{Map, Value, json};
use std::{fs, path::Path, sync::Arc};
use tempfile::TempDir;

/// A run that has come to its end.
pub struct Trained {
    pub prepared: Prepared,
    pub folder: RunFolder,
    pub losses: Vec<f64>,
    pub norms: Vec<f64>,
    _dir: TempDir,
}

/// The settings of an adapter of the golden data.
pub fn adapter(golden: &Golden, name: &str) -> String {
    format!("[adapter]\nplugin = \"lora\"\nr = 4\nalpha = 8\ntargets = {}\n", golden.targets(name))
}

/// How all golden runs go but for their optimizers.
pub const COURSE: &str = r#"
    [train]
    epochs = 2
    batch_size = 4
    schedule = "constant"
    shuffle = false
    log_every = 1
"#;

/// Tokens `t0`, `t1`, … between spaces: the golden models have no tokenizer, and recipes need one.
pub fn write_tokenizer(folder: &Path, vocab: usize, eos: &str) {
    let vocab: Map<String, Value> = (0..vocab).map(|id| (format!("t{id}"), id.into())).collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "t1" },
    });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("tokenizer.json"), file.to_string()).unwrap();
    let config = json!({ "eos_token": eos, "pad_token": "t0" });
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// Trains the model of a case on its examples; `tables` complete the recipe. The examples are tokens already and
/// replace those of the recipe's dataset.
pub fn train(golden: &Golden, tables: &str) -> Trained {
    train_from(golden, tables, &mut |_| {})
}

/// The same, after `start` has changed the network.
pub fn train_from(golden: &Golden, tables: &str, start: &mut dyn FnMut(&Arc<Network>)) -> Trained {
    let corpus = Corpus { train: golden.examples(), ..Corpus::default() };
    train_on(golden, tables, r#"{"text": "t3 t4 t5"}"#, corpus, start)
}

/// The same on these tokens, which replace those of a row that the recipe's objective can read.
pub fn train_on(
    golden: &Golden,
    tables: &str,
    row: &str,
    corpus: Corpus,
    start: &mut dyn FnMut(&Arc<Network>),
) -> Trained {
    let dir = tempfile::tempdir().unwrap();
    let model = golden.path("model");
    write_tokenizer(&dir.path().join("tokenizer"), golden.network("model", None).spec().vocab_size, "t2");
    fs::write(dir.path().join("rows.jsonl"), row).unwrap();
    let recipe = format!(
        "output = {:?}\nmodel = {{ plugin = {:?}, weights = {model:?} }}\ntokenizer.path = \"tokenizer\"\n\
         dataset = [{{ plugin = \"jsonl\", path = \"rows.jsonl\" }}]\n{tables}",
        dir.path().join("run"),
        golden.plugin(),
    );
    let path = dir.path().join("recipe.toml");
    fs::write(&path, recipe).unwrap();
    let session = Session::open(&path, &["data.cache=false".into()], &sources()).unwrap();
    let mut phases = Vec::new();
    let mut prepared = train::prepare(session, &mut |at| phases.push(at)).unwrap();
    assert_eq!(phases.last(), Some(&Preparing::Model));
    assert!(phases[..phases.len() - 1].iter().all(|phase| matches!(phase, Preparing::Data(_))), "{phases:?}");
    assert_eq!(prepared.corpus.train[0].ids, [3, 4, 5, 2], "the recipe's own dataset");
    prepared.corpus = corpus;
    start(&prepared.network);
    let mut losses = Vec::new();
    let summary = train::train(&prepared, false, &mut |event| {
        if let Event::Step { loss, .. } = event {
            losses.push(*loss);
        }
    })
    .unwrap();
    assert_eq!(summary.steps, losses.len() as u64);
    let folder = RunFolder::open(&dir.path().join("run")).unwrap();
    let metrics = read_metrics(&folder.metrics()).unwrap();
    assert_eq!(metrics.iter().filter_map(|m| m.loss).collect::<Vec<_>>(), losses, "metrics.jsonl");
    let norms = metrics.iter().filter_map(|m| m.grad_norm).collect();
    Trained { prepared, folder, losses, norms, _dir: dir }
}

/// The mean loss over the examples, 4 at a time.
pub fn examples_loss(golden: &Golden, network: &Arc<Network>) -> f64 {
    let examples = golden.examples();
    let parts = examples.chunks(4).map(|rows| network.evaluate(&Batch::new(rows, 0)).unwrap());
    let (sum, tokens) = parts.fold((0.0, 0), |(sum, tokens), (s, n)| (sum + s, tokens + n));
    sum / tokens as f64
}
