//! Conversations: what was said so far, as far as the model's context reaches.

use super::{Reply, TextGenerator};
use framework_base::{Error, Problem, Result};
use framework_core::Record;
use serde_json::{Value, json};

/// Whether a conversation keeps its turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Memory {
    /// If the template is one of conversations, and not of a task and its answer.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never: each line is answered on its own.
    Off,
}

/// A conversation with a model.
#[derive(Debug)]
pub struct Conversation {
    keeps: bool,
    system: Option<String>,
    /// What was said and answered.
    turns: Vec<[String; 2]>,
    answers: u64,
}

/// An answer in a conversation.
#[derive(Debug)]
pub struct Answer {
    /// The answer.
    pub reply: Reply,
    /// The oldest turns that did not fit the model's context any more and were dropped.
    pub dropped: usize,
}

impl Conversation {
    /// Begins a conversation.
    ///
    /// # Errors
    /// A template that has no turns and is to keep them, or that has no system message: [`Error::Invalid`].
    pub fn new(generator: &TextGenerator, memory: Memory, system: Option<String>) -> Result<Self> {
        let template = generator.template();
        let turns = template.has_turns() && !generator.continues_text();
        if memory == Memory::On && !turns {
            let message = format!("the template `{}` has no form for several turns", template.name());
            let help = "Leave --memory out: each line is then answered on its own.";
            return Err(Error::invalid(Problem::new(message).key("--memory").help(help)));
        }
        let keeps = match memory {
            Memory::Auto => turns && template.is_dialogue(),
            Memory::On => true,
            Memory::Off => false,
        };
        let mut this = Self { keeps, system: None, turns: Vec::new(), answers: 0 };
        if let Some(system) = system {
            this.set_system(generator, system).map_err(|e| e.about("--system"))?;
        }
        Ok(this)
    }

    /// Whether the turns are kept.
    pub fn keeps_turns(&self) -> bool {
        self.keeps
    }

    /// The system message, if one was set.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Sets the system message and begins anew.
    ///
    /// # Errors
    /// A template that cannot render a system message.
    pub fn set_system(&mut self, generator: &TextGenerator, system: String) -> Result<()> {
        let template = generator.template();
        if !template.has_turns() || generator.continues_text() {
            let message = format!("the template `{}` has no system message", template.name());
            return Err(Error::invalid(Problem::new(message)));
        }
        generator.prompt_ids(&record(Some(&system), &[], "x"))?;
        self.system = Some(system);
        self.reset();
        Ok(())
    }

    /// Forgets all turns.
    pub fn reset(&mut self) {
        self.turns.clear();
    }

    /// Answers a line. The turns before it are part of the prompt, but for the oldest ones that leave no room for the
    /// answer.
    pub fn say(&mut self, generator: &TextGenerator, line: &str, stream: &mut dyn FnMut(&str)) -> Result<Answer> {
        let (ids, dropped) = self.prompt(generator, line)?;
        self.turns.drain(..dropped);
        let reply = generator.answer(ids, self.answers, stream)?;
        self.answers += 1;
        if self.keeps {
            self.turns.push([line.to_owned(), reply.text.clone()]);
        }
        Ok(Answer { reply, dropped })
    }

    /// The ids that a line is answered from, and how many turns were left out.
    fn prompt(&self, generator: &TextGenerator, line: &str) -> Result<(Vec<u32>, usize)> {
        if !generator.template().has_turns() || generator.continues_text() {
            return Ok((generator.ids(line, false)?, 0));
        }
        let most = generator.positions().unwrap_or(usize::MAX);
        // An answer may be allowed to be as long as the whole context; half of that is the conversation's.
        let room = generator.max_new_tokens().min(most / 2);
        for dropped in 0.. {
            let ids = generator.prompt_ids(&record(self.system(), &self.turns[dropped..], line))?;
            if dropped == self.turns.len() || ids.len() + room <= most {
                return Ok((ids, dropped));
            }
        }
        unreachable!("without turns the prompt is taken as it is")
    }
}

/// The record of a conversation up to a line that is not answered yet.
fn record(system: Option<&str>, turns: &[[String; 2]], line: &str) -> Record {
    let message = |role: &str, content: &str| json!({ "role": role, "content": content });
    let mut messages: Vec<Value> = system.map(|text| message("system", text)).into_iter().collect();
    for [said, answered] in turns {
        messages.extend([message("user", said), message("assistant", answered)]);
    }
    messages.push(message("user", line));
    Record::from_iter([("messages".to_owned(), messages.into())])
}

#[cfg(test)]
mod tests {
    use super::record;
    use framework_recipe::Prompt;
    use framework_text::{
        data::{Encoder, Template},
        tokenizer::Tokenizer,
    };
    use serde_json::Value;
    use std::path::Path;

    /// What a conversation's later lines are answered from is what transformers makes of all of its messages.
    #[test]
    fn ids_are_those_of_the_whole_conversation() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/chat");
        let golden: Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
        let day = golden["date"].as_str().unwrap().to_owned();
        let tokenizer = Tokenizer::load(&folder).unwrap();
        let messages = golden["conversations"]["open"].as_array().unwrap();
        let said: Vec<_> = messages.iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect();
        let [system, first, answer, line] = &said[..] else { panic!("{said:?}") };
        let record = record(Some(system), &[[first.clone(), answer.clone()]], line);
        let (mut texts, mut ids) = (0, 0);
        for case in golden["cases"].as_array().unwrap() {
            let asked = case["conversation"] == "open" && case["add_generation_prompt"] == true;
            let (true, Some(text)) = (asked && case["variables"].is_null(), case["text"].as_str()) else { continue };
            let source = golden["templates"][case["template"].as_str().unwrap()].as_str().unwrap();
            let prompt = Prompt { template: source.into(), date: Some(day.clone()), ..Prompt::default() };
            let template = Template::of(&prompt, &tokenizer).unwrap();
            assert!(template.has_turns() && template.is_dialogue());
            assert_eq!(template.prompt(&record).unwrap(), text, "{}", case["template"]);
            texts += 1;
            let Some(expected) = case["ids"].as_array() else { continue };
            let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 9, train_on_prompt: false };
            assert_eq!(Value::from(encoder.prompt(&record).unwrap()), Value::from(expected.clone()));
            ids += 1;
        }
        assert!(texts >= 9 && ids >= 2, "{texts} {ids}");
    }
}
