//! Plugins and hosts of different versions of one interface: what one has and the other lacks is no reason to refuse a
//! library, and an error by name where it is used.

#[path = "../../tests/common/plugins.rs"]
mod plugins;

use framework_core::{Kind, conformance};
use framework_registry::{Registry, check::check_registry};
use plugins::{grown, later_host, library};
use serde_json::{Value, json};

/// A later SDK has another kind of plugin, operator, request, field, and functions in the tables.
#[test]
fn plugins_of_a_later_sdk_run_here() {
    let registry = Registry::from_libraries(&[grown()]).unwrap();
    let names: Vec<_> = registry.list(None).map(|entry| entry.about.name.as_str()).collect();
    assert_eq!(names, ["pass", "grown-bias", "grown-scale", "grown-sgd"]);
    let report = check_registry(&registry);
    assert!(report.passed(), "{report}");
}

#[test]
fn what_is_not_known_here_is_named_when_it_is_used() {
    let registry = Registry::from_libraries(&[grown()]).unwrap();
    let optimizer = registry.find(Kind::Optimizer, "grown-sgd").unwrap();
    let insist = json!({"insist": true});
    let e = conformance::optimizer(&optimizer.build, &optimizer.label(), &insist).unwrap_err().to_string();
    assert!(e.contains("grown-sgd") && e.contains("built with a newer SDK"), "{e}");

    let adapter = registry.find(Kind::Adapter, "grown-bias").unwrap();
    let plan = |options: &Value| adapter.adapter(options).unwrap().plan(&conformance::toy_spec());
    plan(&json!({"requires": "request.scan"})).unwrap();
    let e = plan(&json!({"requires": "output.grown"})).unwrap_err();
    assert!(e.to_string().contains("grown-bias") && e.message.contains("needs `output.grown`"), "{e}");
    assert!(e.help.unwrap().contains("update this program"));
}

#[test]
fn plugins_of_this_sdk_run_on_a_later_host() {
    let said = later_host(&[library("good"), grown()]);
    assert!(!said.contains("FAILED") && said.contains("optimizer `sign-sgd`"), "{said}");
    // A method that this SDK lacks has its default.
    assert!(said.contains("augmenter `shout` answers 0") && said.contains("augmenter `pass` answers 7"), "{said}");
}
