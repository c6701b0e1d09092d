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
    let pieces = model == "llama";
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
        // What llama.cpp takes where a file does not say.
        adds_bos: get("add_bos_token").and_then(Meta::flag).unwrap_or(pieces),
        adds_space: get("add_space_prefix").and_then(Meta::flag).unwrap_or(pieces),
        chat_template: entries.get(TEMPLATE).and_then(Meta::text).map(str::to_owned),
        chat_templates: names.iter().filter_map(template).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_weights::gguf::GgufFile;
    use std::{env, fs, path::Path};

    #[test]
    fn a_tokenizer_is_found_as_it_was_put() {
        let vocab = GgmlVocab {
            model: "llama".into(),
            pre: "default".into(),
            tokens: vec!["<s>".into(), "▁a".into(), "</s>".into()],
            scores: vec![0.0, -1.5, 0.0],
            types: vec![3, 1, 3],
            bos: Some(0),
            ends: vec![2, 1],
            adds_bos: true,
            adds_space: true,
            chat_template: Some("{{ messages }}".into()),
            chat_templates: [("tool_use".to_owned(), "x".to_owned())].into(),
            ..GgmlVocab::default()
        };
        let mut entries = Entries::default();
        put(&vocab, &mut entries);
        assert_eq!(found(&entries).unwrap(), vocab);
        entries.0.retain(|(key, _)| key != "tokenizer.ggml.token_type");
        assert!(found(&entries).unwrap_err().to_string().contains("no whole tokenizer"));
    }

    /// Set `FRAMEWORK_LLAMA_CPP_MODELS` to the folder `models` of llama.cpp's sources: its vocabularies of published models
    /// make the same tokens here as it expects of itself.
    #[test]
    fn published_vocabularies_make_llama_cpps_tokens() {
        let Some(folder) = env::var_os("FRAMEWORK_LLAMA_CPP_MODELS") else { return };
        for name in ["gpt-2", "qwen2", "llama-bpe", "llama-spm", "phi-3"] {
            let file = |end: &str| Path::new(&folder).join(format!("ggml-vocab-{name}.gguf{end}"));
            let entries = GgufFile::open(&file("")).unwrap();
            let tokenizer = found(entries.entries()).unwrap().tokenizer().unwrap().unwrap();
            // There again, scores and merges are made from what is in the file.
            let rows = tokenizer.vocab_size();
            let again = tokenizer.ggml(rows, &[]).unwrap().tokenizer().unwrap().unwrap();
            let texts = fs::read_to_string(file(".inp")).unwrap();
            let expected = fs::read_to_string(file(".out")).unwrap();
            let texts = texts.split("\n__ggml_vocab_test__\n");
            let mut wrong = Vec::new();
            for (text, line) in texts.zip(expected.lines()) {
                let ids: Vec<u32> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
                let made = tokenizer.encode(text, false).unwrap();
                if made != ids || again.encode(text, false).unwrap() != ids {
                    wrong.push(format!("{name}: {text:?} is {made:?}, not {ids:?}"));
                }
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }
}
