//! What a folder that was read again says, compared with what the run says.

use super::{
    answered::{PROMPTS, Said},
    given::Given,
    proof::differs,
};
use framework_base::Result;
use framework_core::Record;
use framework_recipe::Prompt;
use framework_text::{
    data::{Encoder, Template},
    tokenizer::Tokenizer,
};

/// Compares how prompts become tokens; returns what was compared.
pub(super) fn same_prompts(given: &Given, tokenizer: Option<&Tokenizer>) -> Result<String> {
    let Some(tokenizer) = tokenizer else {
        return Ok("not compared: only llama.cpp splits texts as this tokenizer does".into());
    };
    for text in PROMPTS {
        if tokenizer.encode_open(text, true)? != given.tokenizer.encode_open(text, true)? {
            return Err(differs(format!("its tokenizer makes other tokens of {text:?}")));
        }
    }
    if given.end.tokenizer.chat_template.is_none() || given.on_text {
        return Ok("none: prompts are given as they are".into());
    }
    if tokenizer.chat_template.is_none() {
        return Err(differs("its chat template is missing".into()));
    }
    let prompt =
        Prompt { template: "chat".into(), date: given.session.recipe.prompt.date.clone(), ..Prompt::default() };
    let template = Template::of(&prompt, tokenizer)?;
    let encoder = Encoder { tokenizer, template: &template, max_length: prompt.max_length, train_on_prompt: false };
    let record = Record::from_iter([("instruction".to_owned(), PROMPTS[0].into())]);
    let (own, found) = (given.ids(PROMPTS[0], false)?, encoder.prompt(&record)?);
    if own == found {
        return Ok("same".into());
    }
    // Both tokenizers exist in two kinds, and a file cannot say which: those that put a space after special tokens, too.
    let texts = (given.tokenizer.decode(&own, false)?, tokenizer.decode(&found, false)?);
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    match bare(&texts.0) == bare(&texts.1) && given.end.tokenizer.id("▁").is_some() {
        true => Ok("same but for spaces after special tokens".into()),
        false => Err(differs(format!("its chat template writes prompts otherwise: {:?}, not {:?}", texts.1, texts.0))),
    }
}

/// Compares the answers: another token is a difference if the run's was ahead of it by more than logits are off.
pub(super) fn same_answer(said: &Said, exported: &Said, largest: f64) -> Result<()> {
    let (run, other) = (&said.answer, &exported.answer);
    let equal = run.iter().zip(other).take_while(|(a, b)| a == b).count();
    if equal == run.len() && equal == other.len() {
        return match said.finish == exported.finish {
            true => Ok(()),
            false => Err(differs("its answer does not end where the run's does".into())),
        };
    }
    let Some(margin) = said.margins.get(equal) else {
        return Err(differs("its answer goes on where the run's ends".into()));
    };
    if f64::from(*margin) <= 4.0 * largest {
        return Ok(());
    }
    let number = equal + 1;
    Err(differs(format!("token {number} of its answer is another, though the run's was ahead by {margin:.3}")))
}
