//! Checks of decoders, against a table of scores instead of a model.

use super::wrong;
use crate::{DecodeRequest, Result, Scores, ffi::Build};
use serde_json::Value;

/// Decodes with scores that depend on the last token only: `table[t]` holds the logits after token `t`.
/// Returns the new tokens of each prompt.
pub fn decode(
    build: &Build,
    label: &str,
    options: &Value,
    table: &[Vec<f32>],
    request: &DecodeRequest,
) -> Result<Vec<Vec<u32>>> {
    decode_until(build, label, options, table, request, &[])
}

/// The same, where tokens `stops` end a row as stop strings do.
fn decode_until(
    build: &Build,
    label: &str,
    options: &Value,
    table: &[Vec<f32>],
    request: &DecodeRequest,
    stops: &[u32],
) -> Result<Vec<Vec<u32>>> {
    let decoder = build.decoder(label, options)?;
    let traits = decoder.traits()?;
    let mut session = decoder.start(request)?;
    let last = |prompt: &Vec<u32>| prompt.last().copied().unwrap_or_default();
    let mut rows: Vec<u32> = request.prompts.iter().flat_map(|p| vec![last(p); traits.rows_per_prompt]).collect();
    for _ in 0..request.max_new_tokens {
        let score = |&t: &u32| {
            let logits = &table[t as usize];
            let total: f32 = logits.iter().map(|x| x.exp()).sum();
            let shift = if traits.log_probs { total.ln() } else { 0.0 };
            logits.iter().map(move |x| x - shift).collect::<Vec<_>>()
        };
        let data: Vec<f32> = rows.iter().flat_map(score).collect();
        let ends = |_, token| Ok(request.eos.contains(&token) || stops.contains(&token));
        let step = session.step(Scores::new(&data, table.len(), &ends))?;
        if step.tokens.len() != step.parents.len() {
            let (tokens, parents) = (step.tokens.len(), step.parents.len());
            return Err(wrong(label, format!("a step has {tokens} tokens but {parents} parents")));
        }
        if let Some(parent) = step.parents.iter().find(|&&p| p as usize >= rows.len()) {
            return Err(wrong(label, format!("a step continues row {parent} of {}", rows.len())));
        }
        if let Some(token) = step.tokens.iter().find(|&&t| t as usize >= table.len()) {
            return Err(wrong(label, format!("a step chooses token {token} of {}", table.len())));
        }
        rows = step.tokens;
        if rows.is_empty() {
            break;
        }
    }
    session.finish()
}

/// Decodes two prompts by a made-up table, twice: an answer for each, no longer than allowed, nothing after its end,
/// and the same again.
pub fn decoder(build: &Build, label: &str, options: &Value) -> Result<()> {
    const VOCAB: usize = 16;
    let logit = |from: usize, to: usize| ((from * 7 + to * 5) % 11) as f32 / 3.0;
    let table: Vec<Vec<f32>> = (0..VOCAB).map(|t| (0..VOCAB).map(|u| logit(t, u)).collect()).collect();
    let request = DecodeRequest::new(vec![vec![1, 2], vec![3]], vec![0], 5, 1);
    if build.decoder(label, options)?.traits()?.rows_per_prompt == 0 {
        return Err(wrong(label, "it wants no rows for a prompt"));
    }
    let first = decode(build, label, options, &table, &request)?;
    if first.len() != request.prompts.len() {
        return Err(wrong(label, format!("it has {} answers to {} prompts", first.len(), request.prompts.len())));
    }
    if let Some(long) = first.iter().find(|tokens| tokens.len() > request.max_new_tokens) {
        return Err(wrong(label, format!("it has {} tokens after {} steps", long.len(), request.max_new_tokens)));
    }
    for stops in [&[][..], &[7, 8, 9]] {
        let answers = decode_until(build, label, options, &table, &request, stops)?;
        let ends = |token: &&u32| request.eos.contains(token) || stops.contains(token);
        if answers.iter().any(|tokens| tokens.iter().rev().skip(1).any(|token| ends(&token))) {
            return Err(wrong(label, "an answer goes on after its end: ask `scores.ends(row, token)`"));
        }
    }
    if first != decode(build, label, options, &table, &request)? {
        return Err(wrong(label, "the same seed gives different tokens the second time"));
    }
    Ok(())
}
