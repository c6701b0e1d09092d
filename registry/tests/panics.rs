//! A panic in any method of a plugin is an error that names the plugin, and the place in its source.

#[path = "../../tests/common/plugins.rs"]
mod plugins;

use framework_core::{
    DecodeRequest, Kind, Result, Scores, Skipped, conformance,
    ffi::Build,
    meta::{MetaHost, forward},
};
use framework_registry::Registry;
use plugins::library;
use serde_json::{Value, json};

type Use = fn(&Build, &str, &Value) -> Result<()>;

fn read(build: &Build, label: &str, options: &Value) -> Result<()> {
    build.dataset(label, options)?.open(&Skipped::default())?.take(3).try_for_each(|record| record.map(drop))
}

fn run(build: &Build, label: &str, options: &Value) -> Result<()> {
    let model = build.model(label, options)?;
    let spec = model.spec()?;
    forward(&model, &MetaHost::new(&spec, None, 1, 2)?, &spec).map(drop)
}

fn attach(build: &Build, label: &str, options: &Value) -> Result<()> {
    conformance::adapter(build, label, options, &conformance::toy()?)?;
    let (spec, attached) = (conformance::toy_spec(), build.adapter(label, options)?.open(&conformance::toy_spec())?);
    let host = MetaHost::new(&spec, None, 1, 1)?;
    let weight = host.tensor(&[8, 8], framework_core::DType::F32);
    attached.merge(&host.context(), 0, weight, None).map(drop)
}

fn decode(build: &Build, label: &str, options: &Value) -> Result<()> {
    let decoder = build.decoder(label, options)?;
    decoder.traits()?;
    let request = DecodeRequest::new(vec![vec![1]], vec![], 2, 1);
    let mut session = decoder.start(&request)?;
    session.step(Scores::new(&[0.0, 1.0], 2, &|_, _| Ok(false)))?;
    session.finish().map(drop)
}

const METHODS: [(Kind, &str, Use, &[&str]); 5] = [
    (Kind::Dataset, "panicking-data", read, &["validate", "open", "next"]),
    (Kind::Model, "panicking-network", run, &["validate", "build", "embed", "start", "block", "head"]),
    (Kind::Adapter, "panicking-adapter", attach, &["validate", "build", "linear", "prompt", "merge"]),
    (Kind::Optimizer, "panicking-optimizer", conformance::optimizer, &["validate", "learning_rate", "state", "update"]),
    (Kind::Decoder, "panicking-decoder", decode, &["validate", "traits", "start", "step", "finish"]),
];

#[test]
fn every_method_may_panic() {
    let registry = Registry::from_libraries(&[library("panics")]).unwrap();
    for (kind, name, used, methods) in METHODS {
        let entry = registry.find(kind, name).unwrap();
        used(&entry.build, &entry.label(), &json!({"at": "nowhere"})).unwrap_or_else(|e| panic!("{e}"));
        for method in methods {
            let e = used(&entry.build, &entry.label(), &json!({ "at": method })).expect_err(method);
            let said = e.to_string();
            assert!(e.panicked() && said.starts_with(&entry.label()), "{said}");
            assert!(said.contains("everywhere.rs:") && said.ends_with(&format!("{method} was reached")), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}

/// More memory than there can be is a panic like others.
#[test]
fn impossible_allocations_are_errors() {
    let registry = Registry::from_libraries(&[library("panics")]).unwrap();
    let entry = registry.find(Kind::Dataset, "panicking-data").unwrap();
    let e = read(&entry.build, &entry.label(), &json!({"at": "allocate"})).unwrap_err();
    assert!(e.panicked() && e.message == "capacity overflow", "{e}");
}
