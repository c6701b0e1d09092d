//! Prompt templates: a record becomes text, some of it to be learned.

use super::{
    Example, answer,
    chat::Chat,
    conversation::Conversation,
    fields::{self, Fields},
    preference::{Reads, SIDES, sides},
    unused::unused,
};
use crate::tokenizer::Tokenizer;
use framework_base::{Error, Problem, Result};
use framework_core::Record;
use framework_recipe::{Objective, Rows, Turns};
use minijinja::{Environment, ErrorKind};
use rayon::prelude::*;
use std::collections::HashSet;

/// Stands for the response while the prompt is rendered: characters that no filter changes and no text has.
pub(super) const MARK: &str = "\u{f8fe}\u{f8ff}\u{f8fe}";

/// A prompt template, compiled.
#[derive(Debug)]
pub struct Template {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) bos: Option<String>,
    pub(super) add_special: bool,
    pub(super) lead: &'static str,
    pub(super) turns: Turns,
    pub(super) stops: Vec<u32>,
    pub(super) marks: Vec<String>,
    pub(super) reads: Reads,
}

#[derive(Debug)]
pub(super) enum Form {
    Inline { env: Box<Environment<'static>>, variables: Fields },
    Chat(Box<Chat>),
}

impl Template {
    /// Its name; `inline` for Jinja source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it renders conversations of several turns.
    pub fn has_turns(&self) -> bool {
        matches!(self.form, Form::Chat(_))
    }

    /// Whether it is a format of conversations. The others are prompts for one task: they write several turns one after
    /// the other, but models that were trained with them have rarely seen that.
    pub fn is_dialogue(&self) -> bool {
        self.has_turns() && !["alpaca", "plain", "think"].contains(&self.name())
    }

    /// Tokens that end a generated response: the tokenizer's end tokens and what the template ends a message with.
    pub fn stops(&self) -> &[u32] {
        &self.stops
    }

    /// Markers that the template ends an answer with and that are no tokens of [`Template::stops`]: generation looks
    /// for them in the text.
    pub fn marks(&self) -> &[String] {
        &self.marks
    }

    /// What to warn of before training: a marker that the tokenizer has no token for.
    pub fn warning(&self, tokenizer: &Tokenizer) -> Option<String> {
        let mark = self.marks.iter().find(|mark| tokenizer.id(mark).is_none())?;
        let pieces = tokenizer.encode(mark, false).map_or(0, |ids| ids.len());
        Some(format!(
            "the template's end marker {mark} is no single token of this tokenizer; it is trained as {pieces} tokens, and \
             `generate` and `chat` end answers before its text, but other programs may show it: choose a template \
             without it (`alpaca`, `plain`) or a tokenizer that has the token"
        ))
    }

    /// Whether the tokenizer puts what begins a sequence before the prompt; not if the template itself does.
    pub fn adds_special(&self, prompt: &str) -> bool {
        let begun = self.bos.as_ref().is_some_and(|bos| !bos.is_empty() && prompt.starts_with(bos));
        self.add_special && !begun
    }

    /// What a generated response begins with before the answer itself, e.g. `Assistant: `.
    pub fn lead(&self) -> &str {
        self.lead
    }

    /// Whether what it has rendered so far depends on the day of the call.
    pub fn tells_the_day(&self) -> bool {
        matches!(&self.form, Form::Chat(chat) if chat.time_asked.asked())
    }

    /// The record as it is trained: usually one example; one for each of the assistant's messages if the template
    /// renders them otherwise once others follow.
    ///
    /// # Errors
    /// A field that the template needs and the record does not have: [`Error::Invalid`] with the keys of both.
    pub fn examples(&self, record: &Record) -> Result<Vec<Example>> {
        if self.reads.rows != Rows::Pairs {
            let mut examples = self.answered(record)?;
            if SIDES.iter().all(|side| record.get(*side).is_some_and(|answer| !answer.is_null())) {
                let unread = "`chosen` and `rejected`, which objectives such as `dpo` read".to_owned();
                examples.first_mut().into_iter().for_each(|first| first.lacks_too(unread.clone()));
            }
            return Ok(examples);
        }
        let side = |(record, name): (Record, &str)| match <[Example; 1]>::try_from(self.answered(&record)?) {
            Ok([example]) => Ok(example),
            Err(_) => {
                let what = format!("the template renders the earlier turns of `{name}` otherwise once others follow");
                Err(Error::invalid(problem(what).help("choose another template, or set `prompt.turns = \"last\"`")))
            }
        };
        sides(record)?.into_iter().zip(SIDES).map(side).collect()
    }

    /// What rows an objective reads, instead of tasks with their answers.
    pub fn reading(mut self, objective: &Objective) -> Self {
        self.reads = Reads::of(objective);
        if self.reads.rows == Rows::Judged {
            // The label is about the last answer.
            self.turns = Turns::Last;
        }
        self
    }

    /// Whether a record is two examples that belong together.
    pub fn reads_pairs(&self) -> bool {
        self.reads.rows == Rows::Pairs
    }

    /// Whether records may count differently.
    pub fn weighs(&self) -> bool {
        self.reads.weighs()
    }

    /// What the record counts: negative for an answer that is not wanted.
    pub fn weight(&self, record: &Record) -> Result<f32> {
        self.reads.weight(record)
    }

    /// One answer as it is trained.
    fn answered(&self, record: &Record) -> Result<Vec<Example>> {
        if let Some(text) = fields::whole_text(record) {
            return Ok(vec![Example::Text(text)]);
        }
        match &self.form {
            Form::Chat(chat) => self.conversation(chat, record),
            Form::Inline { .. } => match self.parts(record)? {
                Some((prompt, response)) => Ok(vec![Example::turn(prompt, response)]),
                None => Err(invalid(
                    "what the template has before the response depends on the response, which is not known yet when \
                     text is generated",
                )),
            },
        }
    }

    fn conversation(&self, chat: &Chat, record: &Record) -> Result<Vec<Example>> {
        let mut talk = chat.conversation(record)?;
        let answers = self.trained(&talk);
        let Some(&last) = answers.last() else {
            return Err(self.unanswered(&talk, record));
        };
        // Nothing is learned from what follows the last answer.
        let all = talk.answers().len();
        talk.messages.truncate(last + 1);
        let full = chat.render(&talk, last + 1, false)?;
        let mut examples = match chat.spans(&talk, &full, &answers)? {
            Some(spans) => {
                for (answer, span) in answers.iter().zip(&spans) {
                    answer::complete(&talk, *answer, &full.text[span.clone()])?;
                }
                let end = spans.last().map_or(0, |span| span.end);
                let learned = Chat::learned(&full, spans, answers.len() == all);
                let mut example = Example::of(&full.text[..end], &learned);
                if let Example::Turns { rest, .. } = &mut example
                    && rest.trim().is_empty()
                {
                    rest.clear();
                }
                vec![example]
            }
            None => {
                let alone = |answer: &usize| chat.answer(&talk, *answer).map(|a| Example::turn(a.prompt, a.response));
                let each: Vec<_> = answers.par_iter().map(alone).collect();
                each.into_iter().collect::<Result<_>>()?
            }
        };
        if let Some(blank) = answers.iter().position(|answer| talk.is_blank(*answer)) {
            let example = if answers.len() == examples.len() { blank } else { 0 };
            examples[example].blank();
        }
        let unused = unused(&talk, &answers, &examples);
        if let Some(first) = examples.first_mut() {
            first.lacks(unused);
        }
        Ok(examples)
    }

    /// That the record has nothing to train.
    fn unanswered(&self, talk: &Conversation, record: &Record) -> Error {
        let assistant = talk.messages.iter().filter(|message| message["role"] == "assistant").count();
        let message = match (assistant, talk.answers().len()) {
            (0, _) => format!("the record has no answer of the assistant: it has {}", fields::keys(record)),
            (_, 0) => "the assistant's messages answer nothing: no message of a user comes before them".to_owned(),
            _ => "all messages of the assistant have the `weight` 0".to_owned(),
        };
        Error::invalid(problem(message).help("leave such rows out of the data"))
    }

    /// The numbers of the messages that are trained.
    fn trained(&self, talk: &Conversation) -> Vec<usize> {
        let mut answers = talk.answers();
        answers.retain(|answer| talk.is_weighted(*answer));
        if self.turns == Turns::Last {
            answers = answers.pop().into_iter().collect();
        }
        answers
    }

    /// The record as it is given to generate from; its last response is not looked at.
    pub fn prompt(&self, record: &Record) -> Result<String> {
        Ok(match self.open(record)? {
            Example::Text(text) => text,
            Example::Turns { turns, rest } => {
                turns.into_iter().flat_map(|turn| [turn.prompt, turn.response]).collect::<String>() + &rest
            }
        })
    }

    /// [`Template::prompt`] in turns, as training has them: what is generated follows `rest`.
    pub fn open(&self, record: &Record) -> Result<Example> {
        if self.reads_pairs() && SIDES.iter().all(|side| record.contains_key(*side)) {
            return self.opened(&sides(record)?[0]);
        }
        self.opened(record)
    }

    fn opened(&self, record: &Record) -> Result<Example> {
        if let Some(text) = fields::whole_text(record) {
            return Ok(Example::Text(text));
        }
        let Form::Chat(chat) = &self.form else {
            let text = self.fill(record, MARK)?;
            let prompt = text.split_once(MARK).map(|(before, _)| before.to_owned());
            let rest = prompt.ok_or_else(|| {
                invalid(format!("the template leaves the response out for a record with {}", fields::keys(record)))
            })?;
            return Ok(Example::Turns { turns: Vec::new(), rest });
        };
        let mut talk = chat.conversation(record)?;
        if talk.answers().last() == talk.messages.len().checked_sub(1).as_ref() {
            talk.messages.pop();
        }
        let full = chat.render(&talk, talk.messages.len(), true)?;
        let answers = if self.turns == Turns::All { self.trained(&talk) } else { Vec::new() };
        let spans = chat.spans(&talk, &full, &answers)?.unwrap_or_default();
        Ok(Example::of(&full.text, &spans))
    }

    /// The records that training on this one anticipates, each as it stands before a response is known: those of them
    /// that `wanted` takes, which is given a number and how many there are.
    pub(super) fn asked(&self, record: &Record, wanted: impl Fn(usize, usize) -> bool) -> Result<Vec<(usize, Record)>> {
        if self.reads_pairs() {
            let first = |(k, side)| Ok(self.asked_for(&side, |k, _| k == 0)?.pop().map(|(_, record)| (k, record)));
            let both = sides(record)?.into_iter().enumerate().map(first).collect::<Result<Vec<_>>>()?;
            return Ok(both.into_iter().flatten().collect());
        }
        self.asked_for(record, wanted)
    }

    fn asked_for(&self, record: &Record, wanted: impl Fn(usize, usize) -> bool) -> Result<Vec<(usize, Record)>> {
        let without = |names: &[&str]| -> Record {
            record
                .iter()
                .filter(|(key, _)| !names.contains(&key.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect()
        };
        let (Form::Chat(chat), Some(_)) = (&self.form, record.get("messages")) else {
            return Ok(vec![(0, without(&fields::ANSWER))]);
        };
        let talk = chat.conversation(record)?;
        let cut = |(k, &answer): (usize, &usize)| {
            let mut record = without(&["messages"]);
            record.insert("messages".into(), talk.messages[..answer].to_vec().into());
            (k, record)
        };
        let (trained, all) = (self.trained(&talk), talk.answers());
        // An answer right after another: what is asked with that at its end is asked before it.
        let follows = |answer: usize| answer.checked_sub(1).is_some_and(|before| all.contains(&before));
        let asked = trained.iter().enumerate().filter(|(k, answer)| wanted(*k, trained.len()) && !follows(**answer));
        Ok(asked.map(cut).collect())
    }

    /// An inline template's prompt and response, if its prompt does not depend on the response.
    fn parts(&self, record: &Record) -> Result<Option<(String, String)>> {
        let prompt = self.prompt(record)?;
        let answer = fields::answer(record).ok_or_else(|| self.missing(record, Some("output")))?;
        let full = self.fill(record, &answer)?;
        let response = full.strip_prefix(&prompt).map(str::to_owned);
        Ok(response.map(|response| (prompt, response)))
    }

    /// Whether the record is rendered alike for training and generation, as far as can be told from the text.
    pub(super) fn is_consistent(&self, record: &Record) -> Result<bool> {
        let consistent = |record: &Record| {
            let inline = matches!(self.form, Form::Inline { .. }) && fields::whole_text(record).is_none();
            Ok(!inline || self.parts(record)?.is_some())
        };
        if !self.reads_pairs() {
            return consistent(record);
        }
        let [chosen, rejected] = sides(record)?;
        Ok(consistent(&chosen)? && consistent(&rejected)?)
    }

    fn fill(&self, record: &Record, answer: &str) -> Result<String> {
        let Form::Inline { env, variables } = &self.form else { return Ok(String::new()) };
        let mut all: Fields = fields::fields(record, Some(answer));
        for (name, value) in variables {
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let rendered = env.get_template("prompt").and_then(|t| t.render(all));
        rendered.map_err(|e| match e.kind() {
            ErrorKind::UndefinedError => self.missing(record, None),
            _ => invalid(broken(&e)),
        })
    }

    /// Its source in Jinja.
    pub fn source(&self) -> String {
        let (env, name) = match &self.form {
            Form::Inline { env, .. } => (&**env, "prompt"),
            Form::Chat(chat) => (&chat.env, "chat"),
        };
        env.get_template(name).map(|template| template.source().to_owned()).unwrap_or_default()
    }

    /// The variables and functions that its source names.
    pub fn names(&self) -> HashSet<String> {
        let source = match &self.form {
            Form::Inline { env, .. } => env.get_template("prompt"),
            Form::Chat(chat) => chat.env.get_template("chat"),
        };
        source.map(|template| template.undeclared_variables(false)).unwrap_or_default()
    }

    /// The variables that an inline template reads.
    pub(super) fn reads(&self) -> Vec<String> {
        let Form::Inline { env, variables } = &self.form else { return Vec::new() };
        let mut names: Vec<_> =
            env.get_template("prompt").map(|t| t.undeclared_variables(false).into_iter().collect()).unwrap_or_default();
        names.retain(|name: &String| !variables.contains_key(name) && env.globals().all(|(g, _)| g != name));
        names.sort();
        names
    }

    fn missing(&self, record: &Record, field: Option<&str>) -> Error {
        let reads: Vec<_> = self.reads().iter().map(|name| format!("`{name}`")).collect();
        let no = field.map_or("not all that the template needs".into(), |field| format!("no `{field}`"));
        let message = format!(
            "the record has {no}: it has {}; the template `{}` reads {}",
            fields::keys(record),
            self.name,
            reads.join(", ")
        );
        Error::invalid(problem(message).help(match record.contains_key("messages") {
            true => "records with `messages` need a template with a name, or one that reads `messages`",
            false => "rename the dataset's fields, or write a template that reads those there are",
        }))
    }
}

pub(super) fn broken(e: &minijinja::Error) -> String {
    let line = e.line().map_or(String::new(), |line| format!(" in line {line}"));
    format!("the template fails{line}: {e}")
}

pub(super) fn problem(message: impl Into<String>) -> Problem {
    Problem::new(message).key("prompt.template")
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::invalid(problem(message))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
