//! Which names a new plugin can have, and what its type is called.

use super::ScaffoldError;
use framework_core::About;

/// `my-plugin` becomes `MyPlugin`; where the templates need that name for something else, `MyPluginPlugin`.
pub(super) fn type_name(name: &str) -> String {
    let mut camel = String::new();
    for word in name.split('-') {
        let (first, rest) = word.split_at(word.len().min(1));
        camel += &first.to_uppercase();
        camel += rest;
    }
    match TAKEN.split(' ').any(|taken| taken == camel) {
        true => camel + "Plugin",
        false => camel,
    }
}

/// Types that the templates use.
const TAKEN: &str = "\
    Adapter AdapterPlan Attention Augmenter Box BufRead BufReader Ctx Dataset Decode DecodeRequest \
    Decoder Err File FilePath Init Iterator Kind ModelArch ModelSpec None Ok Optimizer Option Param \
    PluginError Record Records Result Role Scores Self Session Some StateSpec Step String Tensor Update \
    Value Vec";

/// Names that Cargo or the compiler would stumble over.
const REFUSED: &str = "\
    abstract alloc as async await become box break build const continue core crate deps do dyn else enum \
    examples extern false final fn for framework-core framework-sdk gen if impl in incremental let loop \
    macro match mod move mut override priv proc-macro pub ref return self static std struct super test \
    trait true try type typeof unsafe unsized use virtual where while yield";

pub(super) fn check_name(name: &str) -> Result<(), ScaffoldError> {
    if !About::is_name(name) {
        return Err(ScaffoldError::Name(format!("`{name}` is not a plugin's name; write it like `my-plugin`")));
    }
    if REFUSED.split(' ').any(|refused| refused == name) {
        return Err(ScaffoldError::Name(format!(
            "`{name}` cannot be the name of a crate; add a word, as in `my-{name}`"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_camel_case_and_clash_with_nothing() {
        assert_eq!(type_name("my-plugin-2"), "MyPlugin2");
        assert_eq!(type_name("optimizer"), "OptimizerPlugin");
    }

    #[test]
    fn names_must_do_for_plugins_and_for_crates() {
        assert!(check_name("sign-descent").is_ok());
        for wrong in ["", "Loud", "a_b", "-a", "a--b", "../a", "2nd", "fn", "test", "framework-sdk"] {
            assert!(check_name(wrong).is_err(), "`{wrong}`");
        }
    }
}
