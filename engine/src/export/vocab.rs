//! A tokenizer among what a GGUF file says, and found there again.

use framework_base::{Error, Problem, Result};
use framework_weights::gguf::{Entries, Meta};

pub(super) use framework_text::tokenizer::ggml::GgmlVocab;

/// Keys of end tokens, in the order of [`GgmlVocab::ends`].
const ENDS: [&str; 3] = ["eos", "eot", "eom"];
const TEMPLATE: &str = "tokenizer.chat_template";

fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}

/// Says what the tokenizer is.
pub(super) fn put(vocab: &GgmlVocab, entries: &mut Entries) {
    entries.put(key("model"), vocab.model.as_str());
    entries.put(key("pre"), vocab.pre.as_str());
    entries.put(key("tokens"), vocab.tokens.clone());
    entries.put(key("scores"), vocab.scores.clone());
    entries.put(key("token_type"), vocab.types.clone());
    entries.put(key("merges"), vocab.merges.clone());
    let special = [("bos", vocab.bos), ("unknown", vocab.unknown), ("padding", vocab.padding)];
    let ends = ENDS.iter().zip(&vocab.ends).map(|(name, id)| (*name, Some(*id)));
    for (name, id) in special.into_iter().chain(ends) {
        if let Some(id) = id {
            entries.put(key(&format!("{name}_token_id")), id);
        }
    }
    entries.put(key("add_bos_token"), vocab.adds_bos);
    // What the tokenizer puts behind a text would end prompts.
    entries.put(key("add_eos_token"), false);
    if vocab.model == "llama" {
        entries.put(key("add_space_prefix"), vocab.adds_space);
    }
    if let Some(template) = &vocab.chat_template {
        entries.put(TEMPLATE, template.as_str());
    }
    entries.put("tokenizer.chat_templates", vocab.chat_templates.keys().cloned().collect::<Vec<_>>());
    for (name, template) in &vocab.chat_templates {
        entries.put(format!("{TEMPLATE}.{name}"), template.as_str());
    }
}

/// The tokenizer that a file describes.
///
/// # Errors
/// It describes none, or one with other numbers of scores or types than of tokens.
pub(super) fn found(entries: &Entries) -> Result<GgmlVocab> {
    let get = |name: &str| entries.get(&key(name));
    let text = |name: &str| get(name).and_then(Meta::text).map(str::to_owned);
    let texts = |name: &str| -> Vec<String> {
        get(name).map_or(&[][..], Meta::list).iter().filter_map(|value| value.text().map(str::to_owned)).collect()
    };
    let id = |name: &str| get(&format!("{name}_token_id")).and_then(Meta::number).map(|id| id as u32);
    let numbers = get("token_type").map_or(&[][..], Meta::list).iter();
    let types: Vec<i32> = numbers.filter_map(|value| value.number().map(|n| n as i32)).collect();
    let scores = get("scores").map_or(&[][..], Meta::list).iter();
    let scores: Vec<f32> = scores.filter_map(|value| value.fraction().map(|x| x as f32)).collect();
    let tokens = texts("tokens");
    let known = [id("bos"), id("unknown"), id("padding")].into_iter().chain(ENDS.map(id)).flatten();
    let whole = !tokens.is_empty()
        && types.len() == tokens.len()
        && (scores.is_empty() || scores.len() == tokens.len())
        && known.into_iter().all(|id| (id as usize) < tokens.len());
    let (Some(model), true) = (text("model"), whole) else {
        return Err(Error::invalid(Problem::new("the file describes no whole tokenizer")));
    };
    let template = |name: &String| Some((name.clone(), entries.get(&format!("{TEMPLATE}.{name}"))?.text()?.to_owned()));
    let names = entries.get("tokenizer.chat_templates").map_or(&[][..], Meta::list).iter();
    let names: Vec<String> = names.filter_map(|name| name.text().map(str::to_owned)).collect();
    Ok(GgmlVocab {
        model,
        pre: text("pre").unwrap_or_default(),
        tokens,
        scores,
        types,
        merges: texts("merges"),
        bos: id("bos"),
        ends: ENDS.into_iter().filter_map(id).collect(),
        unknown: id("unknown"),
        padding: id("padding"),
        adds_bos: get("add_bos_token").and_then(Meta::flag).unwrap_or(false),
        adds_space: get("add_space_prefix").and_then(Meta::flag).unwrap_or(false),
        chat_template: entries.get(TEMPLATE).and_then(Meta::text).map(str::to_owned),
        chat_templates: names.iter().filter_map(template).collect(),
    })
}
