//! Added tokens that stand in other files than `tokenizer.json`.

use super::{
    Inner,
    special::{Special, token_text},
};
use framework_base::Problem;
use serde_json::Value;
use tokenizers::AddedToken;

/// Adds the tokens of `tokenizer_config.json`'s `added_tokens_decoder` or else of `added_tokens.json`, and special
/// tokens that are in the vocabulary but are not known to be special, as transformers does.
pub(super) fn add(inner: &mut Inner, files: &Special) -> Result<(), Problem> {
    let (named, more) = (files.named(), files.more());
    let mut tokens: Vec<(u32, AddedToken)> = Vec::new();
    if let Some(Value::Object(decoder)) = files.tokenizer.get("added_tokens_decoder") {
        for (id, token) in decoder {
            let read = id.parse().ok().zip(serde_json::from_value(with_defaults(token)).ok());
            tokens.push(read.ok_or_else(|| {
                Problem::new(format!("`added_tokens_decoder` of `tokenizer_config.json` has {token} for the id {id}"))
                    .help("expected a number, and an object with the token's `content`")
            })?);
        }
    } else {
        let is = |value: &Value, token: &str| token_text(value) == Some(token);
        let special = |token: &str| named.values().chain(&more).any(|value| is(value, token));
        for (token, id) in &files.added {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
                Problem::new(format!("`added_tokens.json` has {id} for the token `{token}`")).help("expected its id")
            })?;
            tokens.push((id, AddedToken::from(token.clone(), special(token))));
        }
    }
    tokens.sort_by_key(|(id, _)| *id);
    let there = inner.get_added_tokens_decoder();
    for (id, token) in tokens {
        if there.get(&id).is_some_and(|known| known.content == token.content) {
            continue;
        }
        let content = token.content.clone();
        inner.add_tokens([token]).map_err(|e| Problem::new(e.to_string()))?;
        let found = inner.token_to_id(&content);
        if found != Some(id) {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            let message = format!("the added token `{content}` is said to have the id {id}, but gets {found}");
            return Err(Problem::new(message).help("a token before it is missing, or is in the vocabulary twice"));
        }
    }
    for text in named.values().filter_map(token_text) {
        special(inner, text)?;
    }
    for text in more.iter().filter_map(token_text) {
        if !is_added(inner, text) {
            add_special(inner, text)?;
        }
    }
    Ok(())
}

/// Makes a token of the vocabulary known as special, unless it is an added token already.
pub(super) fn special(inner: &mut Inner, text: &str) -> Result<(), Problem> {
    if is_added(inner, text) || inner.token_to_id(text).is_none() { Ok(()) } else { add_special(inner, text) }
}

fn is_added(inner: &Inner, text: &str) -> bool {
    inner.get_added_tokens_decoder().values().any(|token| token.content == text)
}

fn add_special(inner: &mut Inner, text: &str) -> Result<(), Problem> {
    inner.add_special_tokens([AddedToken::from(text, true)]).map(drop).map_err(|e| Problem::new(e.to_string()))
}

/// `AddedToken` as transformers writes it, whose flags may be missing.
fn with_defaults(token: &Value) -> Value {
    let special = token["special"].as_bool().unwrap_or(false);
    let flag = |name: &str, default: bool| token[name].as_bool().unwrap_or(default);
    serde_json::json!({
        "content": token["content"],
        "single_word": flag("single_word", false),
        "lstrip": flag("lstrip", false),
        "rstrip": flag("rstrip", false),
        "normalized": flag("normalized", !special),
        "special": special,
    })
}
