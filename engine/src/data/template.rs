//! Prompt templates: a record becomes a prompt and a response.

use super::{
    builtin::{BUILTIN, Builtin},
    chat::Chat,
    fields::{self, Fields},
    jinja,
};
use crate::{Error, Problem, Result, tokenizer::Tokenizer};
use framework_core::Record;
use minijinja::{Environment, ErrorKind};
use std::collections::BTreeMap;

/// Stands for the response while the prompt is rendered: characters that no filter changes and no text has.
const MARK: &str = "\u{f8fe}\u{f8ff}\u{f8fe}";

/// A record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Example {
    /// What is given and what is to be learned.
    Pair {
        /// Text up to the response, the same for training and generation.
        prompt: String,
        /// The response and what the template has after it; the end token is added when it is encoded.
        response: String,
    },
    /// A text that is learned as a whole.
    Text(String),
}

/// A prompt template, compiled.
#[derive(Debug)]
pub struct Template {
    name: String,
    form: Form,
    special: BTreeMap<String, String>,
    add_special: bool,
}

#[derive(Debug)]
enum Form {
    Jinja { env: Box<Environment<'static>>, lead: &'static str },
    Chat(Box<Chat>),
}

impl Template {
    /// Compiles a template: `alpaca`, `chatml`, `deepseek`, `plain`, `chat` for the tokenizer's own, or Jinja source
    /// that contains `{{ output }}` or `{{ response }}`; what comes before that is the prompt.
    ///
    /// # Errors
    /// An unknown name, a syntax error, a template without the response, `chat` with a tokenizer that has no chat
    /// template: [`Error::Invalid`].
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        let special = tokenizer.special_tokens();
        if source == "chat" {
            let form = Form::Chat(Box::new(Chat::new(tokenizer)?));
            return Ok(Self { name: source.into(), form, special, add_special: false });
        }
        let (name, source, lead, add_special) = match BUILTIN.iter().find(|b| b.name == source) {
            Some(Builtin { name, source, lead, add_special }) => (*name, *source, *lead, *add_special),
            None if source.contains(['{', ' ', '\n']) => ("inline", source, "", true),
            None => return Err(unknown(source)),
        };
        let mut env = jinja::environment();
        env.add_template_owned("prompt", source.to_owned()).map_err(|e| invalid(broken(&e)))?;
        let form = Form::Jinja { env: Box::new(env), lead };
        let template = Self { name: name.into(), form, special, add_special };
        if !template.reads().iter().any(|name| fields::ANSWER.contains(&name.as_str())) {
            let problem = problem("template without the response: nothing would be trained");
            let help = "put `{{ output }}` (or `{{ response }}`) where the model's answer stands, usually at the end";
            return Err(Error::invalid(problem.help(help)));
        }
        Ok(template)
    }

    /// Its name; `inline` for Jinja source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the tokenizer puts what begins a sequence before the prompt; not if the template itself does.
    pub fn adds_special(&self, prompt: &str) -> bool {
        let begun = self.special.get("bos_token").is_some_and(|bos| !bos.is_empty() && prompt.starts_with(bos));
        self.add_special && !begun
    }

    /// What a generated response begins with before the answer itself, e.g. `Assistant: `.
    pub fn lead(&self) -> &str {
        match &self.form {
            Form::Jinja { lead, .. } => lead,
            Form::Chat(_) => "",
        }
    }

    /// The record as it is trained.
    ///
    /// # Errors
    /// A field that the template needs and the record does not have: [`Error::Invalid`] with the keys of both.
    pub fn render(&self, record: &Record) -> Result<Example> {
        if let Some(text) = fields::whole_text(record) {
            return Ok(Example::Text(text));
        }
        let prompt = self.prompt(record)?;
        let response = match &self.form {
            Form::Chat(chat) => chat.response(record, &prompt, &self.special)?,
            Form::Jinja { lead, .. } => {
                let answer = fields::answer(record).ok_or_else(|| self.missing(record, Some("output")))?;
                let full = self.fill(record, &answer)?;
                let rest = full.strip_prefix(&prompt).filter(|rest| rest.starts_with(lead));
                rest.map(str::to_owned).ok_or_else(|| {
                    invalid("what the template has before the response depends on the response, which is not known yet when text is generated")
                })?
            }
        };
        Ok(Example::Pair { prompt, response })
    }

    /// The record as it is given to generate from; its response is not looked at.
    pub fn prompt(&self, record: &Record) -> Result<String> {
        if let Some(text) = fields::whole_text(record) {
            return Ok(text);
        }
        match &self.form {
            Form::Chat(chat) => chat.prompt(record, &self.special),
            Form::Jinja { lead, .. } => {
                let text = self.fill(record, MARK)?;
                let prompt = text.split_once(MARK).and_then(|(before, _)| before.strip_suffix(lead));
                prompt.map(str::to_owned).ok_or_else(|| {
                    invalid(format!("the template leaves the response out for a record with {}", fields::keys(record)))
                })
            }
        }
    }

    fn fill(&self, record: &Record, answer: &str) -> Result<String> {
        let Form::Jinja { env, .. } = &self.form else { return Ok(String::new()) };
        let mut variables: Fields = fields::fields(record, Some(answer));
        for (name, text) in &self.special {
            variables.entry(name.clone()).or_insert_with(|| text.as_str().into());
        }
        let rendered = env.get_template("prompt").and_then(|t| t.render(variables));
        rendered.map_err(|e| match e.kind() {
            ErrorKind::UndefinedError => self.missing(record, None),
            _ => invalid(broken(&e)),
        })
    }

    /// The variables that the template reads.
    fn reads(&self) -> Vec<String> {
        let Form::Jinja { env, .. } = &self.form else { return Vec::new() };
        let mut names: Vec<_> =
            env.get_template("prompt").map(|t| t.undeclared_variables(false).into_iter().collect()).unwrap_or_default();
        names.retain(|name: &String| !self.special.contains_key(name) && env.globals().all(|(g, _)| g != name));
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
            true => "records with `messages` need the template `chat`",
            false => "rename the dataset's fields, or write a template that reads those there are",
        }))
    }
}

fn broken(e: &minijinja::Error) -> String {
    let line = e.line().map_or(String::new(), |line| format!(" in line {line}"));
    format!("the template fails{line}: {e}")
}

fn unknown(name: &str) -> Error {
    let mut names: Vec<_> = BUILTIN.iter().map(|b| b.name).chain(["chat"]).collect();
    names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    let near = names.first().filter(|near| strsim::jaro_winkler(near, name) > 0.7);
    let hint = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
    names.sort_unstable();
    let help = format!("there are {}, or Jinja source with `{{{{ output }}}}`", names.join(", "));
    Error::invalid(problem(format!("there is no template `{name}`{hint}")).help(help))
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
