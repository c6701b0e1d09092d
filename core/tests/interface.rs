//! What crosses the boundary, type by type, as it looked when this version of the interface was made.
//!
//! If this test fails, plugin libraries that exist are concerned. Appending a function behind a table's
//! `last_prefix_field`, a variant to an open enum, or a type that only those use, keeps them working: accept the new
//! snapshot with `cargo insta accept`, or by hand. Anything else needs a new `ABI_VERSION`.
#![cfg(target_pointer_width = "64")]

use abi_stable::{
    StableAbi,
    type_layout::{TLData, TypeLayout},
};
use framework_core::{
    AdapterPlan, Param, Role,
    ffi::{ABI_VERSION, PluginRoot_Ref},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Types of this crate that a type leads to, each by its full name, in words.
fn describe(layout: &'static TypeLayout, seen: &mut BTreeSet<String>, out: &mut BTreeMap<String, String>) {
    let name = layout.full_type().to_string();
    if !seen.insert(format!("{name} {:?}", layout.get_utypeid())) {
        return;
    }
    if layout.package() == "framework-core" && !name.ends_with("_Interface") {
        out.insert(format!("{name} in {}", layout.mod_path()), one(layout));
    }
    for next in layout.shared_vars().type_layouts() {
        describe(next(), seen, out);
    }
}

fn one(layout: &'static TypeLayout) -> String {
    let mut text = format!("{} bytes", layout.size());
    if let TLData::Enum(variants) = layout.data() {
        let open = if variants.exhaustiveness.is_exhaustive() { "exhaustive" } else { "open" };
        let names: Vec<_> = variants.variant_names_iter().collect();
        write!(text, ", {open}: {}", names.join(" ")).unwrap();
    }
    if let TLData::PrefixType(table) = layout.data() {
        write!(text, ", a table of {} at least", table.first_suffix_field).unwrap();
    }
    for field in layout.get_fields().into_iter().flat_map(|fields| fields.to_vec()) {
        let functions: Vec<_> = field.function_range().iter().collect();
        let own = if functions.is_empty() { made_of([field.layout()]) } else { String::new() };
        write!(text, "\n  {}: {}{own}", field.name(), field.full_type()).unwrap();
        for function in functions {
            let signature = function.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let signature = signature.split(" lifetime indices").next().unwrap_or_default().to_owned();
            let types = function.param_type_layouts.iter().map(|layout| layout());
            let types = types.chain(function.return_type_layout().map(|layout| layout()));
            write!(text, "\n    {signature}{}", made_of(types)).unwrap();
        }
    }
    text
}

/// Numbers and types of this crate that types of other crates are filled with, which their names do not say: an `RVec` of
/// `u64`, or of `u32`.
fn made_of(types: impl IntoIterator<Item = &'static TypeLayout>) -> String {
    fn collect(layout: &'static TypeLayout, seen: &mut BTreeSet<String>, out: &mut BTreeSet<String>) {
        // These are always filled with the same.
        if ["RString", "RStr", "RObject", "NonExhaustive"].contains(&layout.name()) {
            return;
        }
        for next in layout.shared_vars().type_layouts().iter().map(|next| next()) {
            let (name, number) = (next.full_type().to_string(), matches!(next.data(), TLData::Primitive(_)));
            if next.package() == "framework-core" || number && name.chars().all(char::is_alphanumeric) {
                out.insert(name);
            } else if seen.insert(format!("{name} {:?}", next.get_utypeid())) {
                collect(next, seen, out);
            }
        }
    }
    let (mut seen, mut out) = (BTreeSet::new(), BTreeSet::new());
    for layout in types.into_iter().filter(|layout| layout.package() != "framework-core") {
        collect(layout, &mut seen, &mut out);
    }
    // The length of whatever it is.
    out.remove("usize");
    let names: Vec<_> = out.into_iter().collect();
    if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) }
}

#[test]
fn the_interface_has_not_changed() {
    let (mut seen, mut out) = (BTreeSet::new(), BTreeMap::new());
    describe(<PluginRoot_Ref as StableAbi>::LAYOUT, &mut seen, &mut out);
    let text: Vec<_> = out.into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
    insta::assert_snapshot!(format!("interface_{ABI_VERSION}"), text.join("\n"));
}

/// What a newer plugin adds to its declarations is passed over, or is an error that names it.
#[test]
fn declarations_of_newer_plugins_are_read() {
    let param = |more: serde_json::Value| {
        let mut param = serde_json::json!({"name": "w", "shape": [2], "init": "ones", "role": "bias"});
        param.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Param>(param)
    };
    let newer = param(serde_json::json!({"role": "kernel", "sharded": true})).unwrap();
    assert_eq!((newer.role, newer.block), (Role::Other, None));
    let e = param(serde_json::json!({"init": {"orthogonal": 1.0}})).unwrap_err().to_string();
    assert!(e.contains("unknown variant `orthogonal`"), "{e}");
    assert!(serde_json::from_str::<AdapterPlan>(r#"{"gates": 3}"#).is_ok());
}
