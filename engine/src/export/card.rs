//! `README.md` of an exported folder: a model card, with the fields that the hub reads before it.

use super::{Exported, Manifest, given::Given};
use crate::run::{Facts, Metrics, Summary, read_metrics};
use framework_base::{Error, Result};
use framework_hub as hub;
use std::{fmt::Write, fs, path::Path};

/// The card.
pub(super) fn text(given: &Given, manifest: &Manifest) -> Result<String> {
    let failed = |_: std::fmt::Error| Error::failed("the model card cannot be written");
    let mut text = String::new();
    front(given, manifest, &mut text).map_err(failed)?;
    body(given, manifest, &mut text).map_err(failed)?;
    Ok(text)
}

/// The fields between `---`.
fn front(given: &Given, manifest: &Manifest, out: &mut String) -> std::fmt::Result {
    writeln!(out, "---")?;
    let id = given.base.as_deref().and_then(hub::id_of);
    if let Some(id) = &id {
        writeln!(out, "base_model: {}", id.name)?;
    }
    let library = match (manifest.what, manifest.format.as_str()) {
        (Exported::Adapter, _) => "peft",
        (_, "gguf") => "gguf",
        _ => "transformers",
    };
    writeln!(out, "library_name: {library}\npipeline_tag: text-generation")?;
    for (key, value) in licence(given.base.as_deref()) {
        writeln!(out, "{key}: {value}")?;
    }
    writeln!(out, "tags:")?;
    let adapter = given.run.as_ref().map(|_| given.session.recipe.adapter.plugin.as_str());
    for tag in ["text-generation"].into_iter().chain(adapter).chain((library == "gguf").then_some("gguf")) {
        writeln!(out, "- {tag}")?;
    }
    writeln!(out, "---\n")
}

/// What the base model's card says of its licence.
fn licence(base: Option<&Path>) -> Vec<(String, String)> {
    let card = base.and_then(|base| fs::read_to_string(base.join("README.md")).ok()).unwrap_or_default();
    let fields = card.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map_or("", |(fields, _)| fields);
    let known = ["license", "license_name", "license_link"];
    let pair = |line: &str| line.split_once(':').map(|(key, value)| (key.to_owned(), value.trim().to_owned()));
    fields.lines().filter_map(pair).filter(|(key, value)| known.contains(&key.as_str()) && !value.is_empty()).collect()
}

fn body(given: &Given, manifest: &Manifest, out: &mut String) -> std::fmt::Result {
    writeln!(out, "# {}\n", given.name)?;
    let what = match (manifest.what, manifest.format.as_str()) {
        (Exported::Adapter, _) => "An adapter in PEFT's format",
        (_, "gguf") => "A language model for llama.cpp and Ollama",
        _ => "A language model for transformers",
    };
    let base = manifest.model.as_deref().map(|base| format!(", made from {}", short(base))).unwrap_or_default();
    writeln!(out, "{what}{base}; weights in {}.\n", manifest.dtype)?;
    if licence(given.base.as_deref()).is_empty() {
        writeln!(
            out,
            "The licence of the base model and of the data decides what it may be used for; no licence is known.\n"
        )?;
    }
    for note in &manifest.notes {
        writeln!(out, "- {note}")?;
    }
    if let Some(quantized) = &manifest.quantization {
        let (of, logits) = (&quantized.frozen, &quantized.logits);
        writeln!(
            out,
            "It was trained on weights in {of} and is merged into the weights before they were quantized: logits differ from \
             those of the run by {:.4} on average and by at most {:.3} (standard deviation {:.3}).\n",
            logits.mean, logits.largest, logits.spread
        )?;
    }
    let Some(run) = &given.run else { return Ok(()) };
    writeln!(out, "## Training\n")?;
    if let Some(summary) = Summary::read(run) {
        writeln!(out, "| | |\n|---|---|\n| steps | {} |", summary.steps)?;
        writeln!(out, "| trained parameters | {} of {} |", summary.trained_parameters, summary.parameters)?;
        writeln!(out, "| tokens | {} |", summary.tokens)?;
        if let Some(loss) = summary.train_loss {
            writeln!(out, "| training loss | {loss:.4} |")?;
        }
    }
    let lines = read_metrics(&run.metrics()).unwrap_or_default();
    if let Some(Metrics { eval_loss: Some(loss), eval_accuracy, metrics, .. }) =
        lines.iter().rfind(|m| m.eval_loss.is_some())
    {
        writeln!(out, "| validation loss | {loss:.4} |")?;
        if let Some(share) = eval_accuracy {
            writeln!(out, "| validation accuracy | {share:.4} |")?;
        }
        for (name, value) in metrics {
            writeln!(out, "| {name} | {value:.4} |")?;
        }
    }
    if let Some(facts) = Facts::read(run) {
        writeln!(out, "\n## Data\n\n```text\n{}\n```", facts.data.to_string().trim_end())?;
    }
    let recipe = fs::read_to_string(run.recipe()).unwrap_or_default();
    writeln!(out, "\n## Recipe\n\n```toml\n{}\n```", short(&recipe).trim_end())
}

/// A text without the names of this machine's folders: paths below the current one are told from there.
fn short(text: &str) -> String {
    match std::env::current_dir() {
        Ok(here) if here.parent().is_some() => text.replace(&format!("{}/", here.display()), ""),
        _ => text.to_owned(),
    }
}
