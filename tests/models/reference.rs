//! The reference run of the SDK's kit against the executor: logits of every family, and the kit's checks on every family and
//! adapter.

use crate::golden::plugins;
use framework_core::{
    Kind,
    conformance::{self, Outcome},
    reference::{Array, Place, Reference},
};
use framework_engine::{ModelSource, build, executor::Device};

/// Plugins that other tests in this program register.
const OF_TESTS: [&str; 3] = ["choosy", "crooked", "picky"];

/// Parts of the largest logit.
const NEAR: f64 = 1e-4;

#[test]
fn logits_of_every_family_are_those_of_the_executor() {
    let registry = plugins();
    let mut families = 0;
    for entry in registry.list(Some(Kind::Model)).filter(|entry| !OF_TESTS.contains(&entry.about.name.as_str())) {
        let options = conformance::example(&entry.about).unwrap();
        let (model, spec) = conformance::smaller(&options, |options| entry.model(options)).unwrap();
        if spec.params.iter().map(|param| param.len()).sum::<usize>() > 8_000_000 {
            continue;
        }
        let config = model.options().unwrap().as_object().cloned().unwrap();
        let network =
            build(&registry, &entry.about.name, ModelSource::Scratch(config), None, Device::cpu(), 5).unwrap();
        let reference = Reference::new(model, None).unwrap();
        for param in reference.params() {
            let value = network.param(&param.name).unwrap().to_f32().unwrap();
            reference.set(&param.name, Array::floats(&param.shape, value.into_iter().map(f64::from)));
        }
        let ids = [7, 3, 11, 5, 40, 2];
        let row = ids.iter().map(|&id| Place::Token { sequence: 0, id: id as usize }).collect();
        let expected: Vec<f64> =
            reference.logits(&[row], false).unwrap().concat().into_iter().map(|number| number.value).collect();
        let found = network.logits(ids.to_vec(), 1).unwrap();
        let largest = expected.iter().fold(0.0, |most: f64, n| most.max(n.abs()));
        let apart = found.iter().zip(&expected).fold(0.0, |most: f64, (a, b)| most.max((f64::from(*a) - b).abs()));
        println!("{}: {:.1e} of {largest:.2}", entry.about.name, apart / largest);
        assert!(found.len() == expected.len() && apart <= NEAR * largest, "{}: {apart} of {largest}", entry.about.name);
        families += 1;
    }
    assert!(families >= 8, "{families}");
}

#[test]
fn adapters_pass_the_kits_checks() {
    for entry in plugins().list(Some(Kind::Adapter)) {
        let options = conformance::example(&entry.about).unwrap();
        let findings = conformance::numbers(&entry.about, &entry.build, &entry.label(), &options);
        let failed: Vec<_> = findings.iter().filter(|f| matches!(f.outcome, Outcome::Failed(_))).collect();
        // One is wrong on purpose.
        let right = entry.about.name != "crooked";
        assert!(failed.is_empty() == right && !findings.is_empty(), "{}: {failed:?}", entry.about.name);
    }
}
