//! A plugin does the same whether it is linked in or loaded, and what goes wrong in it stays an error.

#[path = "../../tests/common/plugins.rs"]
mod plugins;
mod traced;

use framework_core::{
    DType, DecodeRequest, Init, Kind, Param, Record, Records, Result, Role, Scores, conformance,
    meta::{Cost, MetaHost, forward},
};
use framework_registry::{Entry, Registry, Sources, check::check_library};
use good as _; // so that its plugins are linked in
use plugins::library;
use serde_json::{Value, json};
use traced::traced;

fn linked() -> Registry {
    Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap()
}

fn loaded(name: &str) -> Registry {
    Registry::from_libraries(&[library(name)]).unwrap()
}

/// The same question to a plugin of `good` that is linked in, and to one that is loaded: the same answer.
fn same<T: PartialEq + std::fmt::Debug>(kind: Kind, name: &str, ask: impl Fn(&Entry) -> Result<T>) -> T {
    let (linked, loaded) = (linked(), loaded("good"));
    let [a, b] = [&linked, &loaded].map(|registry| ask(registry.find(kind, name).unwrap()).unwrap());
    assert_eq!(a, b, "{kind} `{name}`");
    a
}

fn records(values: impl IntoIterator<Item = Value>) -> Records {
    let records: Vec<Record> = values.into_iter().filter_map(|v| v.as_object().cloned()).collect();
    Box::new(records.into_iter().map(Ok))
}

#[test]
fn descriptions_are_the_same() {
    for entry in linked().list(None) {
        let about = same(entry.about.kind, &entry.about.name, |e| Ok(e.about.clone()));
        same(about.kind, &about.name, |e| e.fill(&conformance::example(&about)?));
    }
}

#[test]
fn records_are_the_same() {
    let counted = same(Kind::Dataset, "counting", |e| {
        e.dataset(&json!({"to": 1000}))?.open(&Default::default())?.collect::<Result<Vec<_>>>()
    });
    assert_eq!(counted.len(), 1000); // more than one batch across the boundary
    let shouted = same(Kind::Augmenter, "shout", |e| {
        let source = records((0..600).map(|i| json!({"output": format!("so {i}")})));
        e.augmenter(&json!({}))?.augment(source, 7)?.collect::<Result<Vec<_>>>()
    });
    assert!(shouted[599]["output"].as_str().unwrap().starts_with("SO 599 "));
}

#[test]
fn models_are_the_same() {
    let config = json!({
        "vocab_size": 50, "hidden_size": 16, "num_attention_heads": 4, "num_hidden_layers": 3, "model_type": "plain_lm",
    });
    let cost: Cost = same(Kind::Model, "plain", |e| {
        let model = e.model(&config)?;
        let spec = model.spec()?;
        let host = MetaHost::new(&spec, None, 2, 5)?;
        forward(&model, &host, &spec)?;
        Ok(host.cost())
    });
    assert!(cost.flops > 0 && cost.used.contains("blocks.2.o_proj.bias"));
}

#[test]
fn adapters_optimizers_and_decoders_are_the_same() {
    same(Kind::Adapter, "bitfit", |e| e.adapter(&json!({}))?.plan(&conformance::toy_spec()));
    let text = same(Kind::Optimizer, "sign-sgd", |e| {
        let optimizer = e.optimizer(&json!({"momentum": 0.5}))?;
        let param = Param::new("w", &[3], Init::Zeros, Role::Other);
        let opened = optimizer.open(std::slice::from_ref(&param))?;
        let (tensors, state) = ((traced("w", &[3]), traced("g", &[3])), vec![traced("m", &[3])]);
        let (value, state) = opened.update(0.25, 1, 0, tensors, state)?;
        Ok([traced::text(value)?, traced::text(state[0].clone())?])
    });
    assert!(text[0].starts_with("Sub(w, MulScalar(0.25)(Sign("), "{text:?}");
    same(Kind::Decoder, "contrary", |e| {
        let request = DecodeRequest::new(vec![vec![1], vec![2]], vec![9], 3, 1);
        let mut session = e.decoder(&json!({"rank": 1}))?.start(&request)?;
        let step = session.step(Scores::new(&[0.5, 0.1, 0.9, 3.0, 2.0, 1.0], 3, &|_, token| Ok(token == 9)))?;
        Ok((step, session.finish()?))
    });
}

#[test]
fn panics_become_errors_that_name_plugin_and_place() {
    let registry = loaded("panics");
    let file = library("panics").file_name().unwrap().to_string_lossy().into_owned();
    let augmenter = registry.find(Kind::Augmenter, "panicking-augmenter").unwrap();
    let augment = |at: usize| {
        augmenter.augmenter(&json!({"at": at})).unwrap().augment(records((0..5).map(|i| json!({"i": i}))), 1)
    };

    let error = augment(0).err().unwrap().to_string();
    let start = format!("augmenter `panicking-augmenter` (from {file}): panicked at ");
    assert!(error.starts_with(&start) && error.contains("src/lib.rs:16: nothing can be augmented"), "{error}");

    let mut stream = augment(3).unwrap();
    let error = stream.find_map(Result::err).unwrap().to_string();
    assert!(error.starts_with(&start) && error.contains("src/lib.rs:20: record 3 is too much"), "{error}");
    assert!(stream.next().is_none());

    let model = registry.find(Kind::Model, "panicking-model").unwrap().model(&json!({})).unwrap();
    let spec = model.spec().unwrap();
    let host = MetaHost::new(&spec, None, 1, 2).unwrap();
    let error = forward(&model, &host, &spec).unwrap_err().to_string();
    assert!(error.starts_with(&format!("model `panicking-model` (from {file}): panicked at ")), "{error}");
    assert!(error.ends_with("block 1 is not written yet"), "{error}");

    // It goes on as if nothing had happened.
    assert!(model.block(&host.context(), 0, host.tensor(&[1, 2, 4], DType::F32)).is_ok());
    assert!(loaded("panics").find(Kind::Model, "panicking-model").is_ok());
}

#[test]
fn errors_and_impossible_operators_name_the_plugin() {
    let registry = loaded("raises");
    let refusing = registry.find(Kind::Augmenter, "refusing").unwrap().augmenter(&json!({})).unwrap();
    let error = refusing.augment(records([json!({"a": 1})]), 1).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.message, "the field `mood` is missing");
    assert!(error.to_string().starts_with("augmenter `refusing` (from "), "{error}");
    let error = registry.find(Kind::Augmenter, "refusing").unwrap().augmenter(&json!({"x": 1})).err().unwrap();
    assert!(error.message.starts_with("unknown field `x`"), "{error}");
}

#[test]
fn libraries_are_checked() {
    let report = check_library(&library("good")).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.plugins.len(), 6);

    let report = check_library(&library("raises")).unwrap();
    assert!(!report.passed());
    let text = report.to_string();
    assert!(text.contains("FAILED  documentation: option `undocumented` has no doc"), "{text}");
    assert!(text.contains("FAILED  update: matrix product of ["), "{text}");
    assert!(text.contains("skipped augment: refuses made-up input: the field `mood` is missing"), "{text}");

    let text = check_library(&library("panics")).unwrap().to_string();
    assert!(text.contains("FAILED  forward: panicked at "), "{text}");
    assert!(check_library(&library("aborts")).is_err());
}
