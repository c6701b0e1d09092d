//! What the tests of several architectures need.

use framework_sdk::{Kind, prelude::*, test};

/// `config` with `changes`.
pub fn changed(mut config: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// The elements of all parameters, each stage having been run on shapes.
pub fn count(plugin: &str, config: &Value) -> usize {
    test::model(plugin, config).params.iter().map(Param::len).sum()
}

/// Why a configuration is refused.
#[track_caller]
pub fn refused(plugin: &str, config: &Value) -> String {
    let declaration = test::declaration(Kind::Model, plugin);
    declaration.build.model(plugin, config).err().expect("an error").message
}

/// A configuration, read and found sound.
#[track_caller]
pub fn read<M: ModelArch>(config: &Value) -> M {
    let model = M::from_config(config.as_object().unwrap().clone()).unwrap_or_else(|e| panic!("{}", e.message));
    model.validate().unwrap_or_else(|e| panic!("{}", e.message));
    model
}

/// Name, shape and role of a parameter.
pub fn param(spec: &ModelSpec, name: &str) -> (Vec<usize>, Init, Role) {
    let param = spec.get(name).unwrap_or_else(|| panic!("there is no `{name}`"));
    (param.shape.clone(), param.init, param.role)
}
