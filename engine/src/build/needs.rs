//! Whether a run has what its plugins need: see [`Needs`].

use super::{Keeping, Placement};
use framework_base::{Error, Problem, Result};
use framework_core::{AdapterPlan, Kind, ModelSpec, Needs, conformance};
use framework_recipe::{Backend, Frozen};
use framework_registry::Registry;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What a run has, by the names that recipes use.
pub(crate) struct Has {
    backend: Option<String>,
    precision: String,
    /// How frozen weights are kept, if there are any.
    frozen: Option<String>,
    packing: bool,
}

/// The name of a setting's value in recipes.
fn name(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// How frozen weights are kept, if the adapter leaves any frozen.
fn frozen(spec: &ModelSpec, plan: &AdapterPlan, still: &BTreeSet<String>, kept: Frozen) -> Option<String> {
    let trained = |name: &String| plan.trained.contains(name) && !still.contains(name);
    (!spec.params.iter().all(|param| trained(&param.name))).then(|| name(kept))
}

impl Has {
    /// What a recipe asks for.
    pub(crate) fn asked(
        backend: &Backend,
        packing: bool,
        (spec, plan): (&ModelSpec, &AdapterPlan),
        still: &BTreeSet<String>,
    ) -> Result<Self> {
        let kept = Keeping::of(plan, still, backend.frozen, backend.precision, backend.double_quant)?.kept();
        let frozen = frozen(spec, plan, still, kept);
        Ok(Self { backend: Some(name(backend.name)), precision: name(backend.precision), frozen, packing })
    }

    /// What a network that is built there has.
    pub(super) fn at(
        place: &Placement,
        spec: &ModelSpec,
        plan: &AdapterPlan,
        still: &BTreeSet<String>,
    ) -> Result<Self> {
        let kept = Keeping::of(plan, still, place.frozen, place.precision, place.double_quant)?.kept();
        let (backend, precision) = (place.device.backend().map(str::to_owned), name(place.precision));
        Ok(Self { backend, precision, frozen: frozen(spec, plan, still, kept), packing: false })
    }

    /// Refuses what does not fit the needs of these plugins, each by its label.
    ///
    /// # Errors
    /// All problems, each with the settings that fit.
    pub(crate) fn meet(&self, plugins: &[(&str, &Needs)]) -> Result<()> {
        let problems: Vec<_> = plugins.iter().flat_map(|(plugin, needs)| self.problems(plugin, needs)).collect();
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    fn problems(&self, plugin: &str, needs: &Needs) -> Vec<Problem> {
        let lists = [
            ("backend.name", "computes on", &needs.backends, self.backend.as_ref()),
            ("backend.precision", "computes in", &needs.precisions, Some(&self.precision)),
            ("backend.frozen", "takes frozen weights in", &needs.frozen, self.frozen.as_ref()),
        ];
        let refused = |(key, does, accepted, has): (&str, &str, &Vec<String>, Option<&String>)| {
            let has = has.filter(|has| !accepted.is_empty() && !accepted.contains(has))?;
            let message = format!("{plugin} {does} {}, not {has}", any_of(accepted));
            let values: Vec<_> = accepted.iter().map(|name| format!("\"{name}\"")).collect();
            Some(Problem::new(message).key(key).help(format!("Set {key} = {}.", any_of(&values))))
        };
        let mut problems: Vec<_> = lists.into_iter().filter_map(refused).collect();
        if needs.unpacked && self.packing {
            let message =
                format!("{plugin} needs each sequence in a row of its own, and packing puts several into one");
            let help = "Set train.packing = false; train.group_by_length = true leaves little padding, too.";
            problems.push(Problem::new(message).key("train.packing").help(help));
        }
        problems
    }
}

/// `a`, `a or b`, `a, b or c`.
fn any_of(names: &[String]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Refuses an adapter that needs layers which the model does not have.
///
/// # Errors
/// Names the model's layer roles, and the adapters that can be attached to it.
pub(crate) fn layers(registry: &Registry, plugin: &str, plan: &AdapterPlan, spec: &ModelSpec) -> Result<()> {
    let missing = missing(&plan.needs, spec);
    if missing.is_empty() {
        return Ok(());
    }
    let present: BTreeSet<_> = spec.linears().map(|param| &param.layer).filter(|layer| !layer.is_empty()).collect();
    let present: Vec<_> = present.into_iter().map(|layer| format!("`{layer}`")).collect();
    let present = if present.is_empty() { "no layer roles".to_owned() } else { present.join(", ") };
    let message = format!("{plugin} needs layers with the role {}; the model has {present}", missing.join(", "));
    let others: Vec<_> = attachable(registry, spec);
    let help = match others.is_empty() {
        true => "Use another model.".to_owned(),
        false => format!("Use another model, or set adapter.plugin = {}.", any_of(&others)),
    };
    Err(Error::invalid(Problem::new(message).key("adapter.plugin").help(help)))
}

fn missing(needs: &Needs, spec: &ModelSpec) -> Vec<String> {
    let has = |role: &String| spec.linears().any(|param| param.layer == *role);
    needs.layers.iter().filter(|role| !has(role)).map(|role| format!("`{role}`")).collect()
}

/// The adapters that can be attached to a model, by their defaults or as in their examples, in quotation marks.
fn attachable(registry: &Registry, spec: &ModelSpec) -> Vec<String> {
    let attaches = |entry: &&framework_registry::Entry| {
        let fits = |options: &Json| {
            let plan = entry.adapter(options).and_then(|adapter| adapter.plan(spec));
            plan.is_ok_and(|plan| plan.unmatched.is_empty() && missing(&plan.needs, spec).is_empty())
        };
        fits(&Json::Object(Default::default()))
            || conformance::example(&entry.about).is_ok_and(|options| fits(&options))
    };
    let entries = registry.list(Some(Kind::Adapter)).filter(attaches);
    entries.map(|entry| format!("\"{}\"", entry.about.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(packing: bool) -> Has {
        let (backend, precision) = (Some("cpu".to_owned()), "f16".to_owned());
        Has { backend, precision, frozen: Some("nf4".to_owned()), packing }
    }

    #[test]
    fn what_does_not_fit_is_told_at_once_with_what_does() {
        let needs =
            Needs::new().backends(["wgpu", "cuda"]).precisions(["f32"]).frozen(["f32", "bf16", "f16"]).unpacked();
        let Err(Error::Invalid(problems)) = has(true).meet(&[("model `m`", &needs)]) else { panic!("accepted") };
        let told: Vec<_> = problems
            .iter()
            .map(|p| {
                [p.key.as_deref(), Some(p.message.as_str()), p.help.as_deref()]
                    .map(Option::unwrap_or_default)
                    .join(" | ")
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        backend.name | model `m` computes on wgpu or cuda, not cpu | Set backend.name = "wgpu" or "cuda".
        backend.precision | model `m` computes in f32, not f16 | Set backend.precision = "f32".
        backend.frozen | model `m` takes frozen weights in f32, bf16 or f16, not nf4 | Set backend.frozen = "f32", "bf16" or "f16".
        train.packing | model `m` needs each sequence in a row of its own, and packing puts several into one | Set train.packing = false; train.group_by_length = true leaves little padding, too.
        "#);
    }

    #[test]
    fn what_fits_is_accepted() {
        let needs = Needs::new().backends(["cpu"]).precisions(["f32", "f16"]).frozen(["nf4"]).unpacked().uncached();
        assert!(has(false).meet(&[("a", &needs), ("b", &Needs::new())]).is_ok());
        // Where nothing is frozen, its format does not matter.
        let needs = Needs::new().frozen(["f32"]);
        assert!(Has { frozen: None, ..has(false) }.meet(&[("a", &needs)]).is_ok());
        assert!(has(false).meet(&[("a", &needs)]).is_err());
    }
}
