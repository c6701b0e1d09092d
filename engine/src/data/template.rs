//! Prompt templates: a record becomes text, some of it to be learned.

use super::{
    builtin::{BUILTIN, Builtin},
    chat::{Chat, Conversation},
    fields::{self, Fields},
    jinja,
};
use crate::{
    Error, Problem, Result,
    recipe::{Prompt, Turns},
    tokenizer::Tokenizer,
};
use framework_core::Record;
use jiff::civil::Date;
use minijinja::{Environment, ErrorKind, value::Serde};
use std::{collections::BTreeMap, ops::Range};

/// Stands for the response while the prompt is rendered: characters that no filter changes and no text has.
const MARK: &str = "\u{f8fe}\u{f8ff}\u{f8fe}";

/// A record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Example {
    /// A conversation, one turn after the other.
    Turns {
        /// What is given and what is to be learned, alternately.
        turns: Vec<Turn>,
        /// What follows the last response and is not learned. Usually nothing: the end token is added when the example
        /// is encoded.
        rest: String,
    },
    /// A text that is learned as a whole.
    Text(String),
}

/// What is given and what is to be learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Text from the last response, or from the beginning, up to the next response: the same for training and
    /// generation.
    pub prompt: String,
    /// The response and what the template has after it up to the end token.
    pub response: String,
}

/// A prompt template, compiled.
#[derive(Debug)]
pub struct Template {
    name: String,
    form: Form,
    bos: Option<String>,
    add_special: bool,
    lead: &'static str,
    turns: Turns,
    stops: Vec<u32>,
}

#[derive(Debug)]
enum Form {
    Inline { env: Box<Environment<'static>>, variables: Fields },
    Chat(Box<Chat>),
}

impl Template {
    /// [`Template::of`] a template's name or source alone.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        Self::of(&Prompt { template: source.to_owned(), ..Prompt::default() }, tokenizer)
    }

    /// Compiles a template: a name ([`crate::recipe::TEMPLATES`]), `chat` for the tokenizer's own, `chat:NAME` for
    /// another one of its, a chat template that reads `messages`, or Jinja source that contains `{{ output }}` or
    /// `{{ response }}`; what comes before that is the prompt.
    ///
    /// # Errors
    /// An unknown name, a syntax error, a template without the response, `chat` with a tokenizer that has no chat
    /// template: [`Error::Invalid`].
    pub fn of(prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Self> {
        let source = prompt.template.as_str();
        if let Some(builtin) = BUILTIN.iter().find(|b| b.name == source) {
            return Self::built_in(builtin, prompt, tokenizer);
        }
        if let Some(name) = source.strip_prefix("chat").filter(|rest| rest.is_empty() || rest.starts_with(':')) {
            let own = own(name.strip_prefix(':'), tokenizer)?;
            let chat = Chat::new(own, date(prompt)?)?;
            return Ok(Self::talk(source, chat, tokenizer.named_tokens(), prompt, tokenizer));
        }
        if !source.contains(['{', ' ', '\n']) {
            return Err(unknown(source));
        }
        if is_chat(source) {
            let chat = Chat::new(source, date(prompt)?)?;
            return Ok(Self::talk("inline", chat, tokenizer.special_tokens(), prompt, tokenizer));
        }
        let inline = Self::inline(prompt, tokenizer)?;
        if inline.reads().iter().any(|name| fields::ANSWER.contains(&name.as_str())) {
            return Ok(inline);
        }
        let problem = problem("template without the response: nothing would be trained");
        let help = "put `{{ output }}` (or `{{ response }}`) where the model's answer stands, usually at the end, or \
                    write a chat template, which reads `messages`";
        Err(Error::invalid(problem.help(help)))
    }

    fn inline(prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Self> {
        let mut env = jinja::environment();
        env.add_template_owned("prompt", prompt.template.clone()).map_err(|e| invalid(broken(&e)))?;
        let variables = variables(tokenizer.special_tokens(), prompt);
        let form = Form::Inline { env: Box::new(env), variables };
        let (bos, stops) = (bos(tokenizer), tokenizer.eos.clone());
        Ok(Self { name: "inline".into(), form, bos, add_special: true, lead: "", turns: prompt.turns, stops })
    }

    fn built_in(builtin: &Builtin, prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Self> {
        let mut chat = Chat::new(builtin.source, date(prompt)?)?;
        chat.knows_input = true;
        let mut special = tokenizer.special_tokens();
        let eos = special.get("eos_token").cloned().unwrap_or_default();
        let whole = !builtin.end.is_empty() && tokenizer.id(builtin.end).is_some();
        special.insert("end".into(), if whole { builtin.end.to_owned() } else { builtin.end.to_owned() + &eos });
        let template = Self::talk(builtin.name, chat, special, prompt, tokenizer);
        Ok(Self { add_special: builtin.add_special, lead: builtin.lead, ..template })
    }

    fn talk(
        name: &str,
        mut chat: Chat,
        special: BTreeMap<String, String>,
        prompt: &Prompt,
        tokenizer: &Tokenizer,
    ) -> Self {
        chat.variables = variables(special, prompt);
        chat.system = prompt.system.clone();
        let mut stops = tokenizer.eos.clone();
        stops.extend(end_of_turn(&chat, tokenizer).filter(|id| !stops.contains(id)));
        chat.ends = stops.iter().filter_map(|id| tokenizer.token(*id)).filter(|end| !end.is_empty()).collect();
        let form = Form::Chat(Box::new(chat));
        Self { name: name.into(), form, bos: bos(tokenizer), add_special: false, lead: "", turns: prompt.turns, stops }
    }

    /// Its name; `inline` for Jinja source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tokens that end a generated response: the tokenizer's end tokens and what the template ends a message with.
    pub fn stops(&self) -> &[u32] {
        &self.stops
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
        matches!(&self.form, Form::Chat(chat) if chat.clock.asked())
    }

    /// The record as it is trained: usually one example; one for each of the assistant's messages if the template
    /// renders them otherwise once others follow.
    ///
    /// # Errors
    /// A field that the template needs and the record does not have: [`Error::Invalid`] with the keys of both.
    pub fn examples(&self, record: &Record) -> Result<Vec<Example>> {
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
            return Err(invalid(format!("the record has no answer of the assistant: it has {}", fields::keys(record))));
        };
        // Nothing is learned from what follows the last answer.
        talk.messages.truncate(last + 1);
        let full = chat.render(&talk, last + 1, false)?;
        if let Some(spans) = chat.spans(&talk, &full, &answers)? {
            let mut example = Example::of(chat.trimmed(&full.text), &spans);
            if let Example::Turns { rest, .. } = &mut example
                && rest.trim().is_empty()
            {
                rest.clear();
            }
            return Ok(vec![example]);
        }
        let alone = |&answer: &usize| {
            let prompt = chat.render(&talk, answer, true)?.text;
            let response = chat.response(&talk, answer, &prompt)?;
            Ok(Example::turn(prompt, response))
        };
        answers.iter().map(alone).collect()
    }

    /// The numbers of the messages that are trained.
    fn trained(&self, talk: &Conversation) -> Vec<usize> {
        let answers = talk.answers();
        match self.turns {
            Turns::All => answers,
            Turns::Last => answers.last().copied().into_iter().collect(),
        }
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
        let answers = if self.turns == Turns::All { talk.answers() } else { Vec::new() };
        let spans = chat.spans(&talk, &full, &answers)?.unwrap_or_default();
        Ok(Example::of(&full.text, &spans))
    }

    /// The records that training on this one anticipates, each as it stands before a response is known.
    pub(super) fn asked(&self, record: &Record) -> Result<Vec<Record>> {
        let without = |names: &[&str]| -> Record {
            record
                .iter()
                .filter(|(key, _)| !names.contains(&key.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect()
        };
        let (Form::Chat(chat), Some(_)) = (&self.form, record.get("messages")) else {
            return Ok(vec![without(&fields::ANSWER)]);
        };
        let talk = chat.conversation(record)?;
        let cut = |&answer: &usize| {
            let mut record = without(&["messages"]);
            record.insert("messages".into(), talk.messages[..answer].to_vec().into());
            record
        };
        Ok(self.trained(&talk).iter().map(cut).collect())
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
        let inline = matches!(self.form, Form::Inline { .. }) && fields::whole_text(record).is_none();
        Ok(!inline || self.parts(record)?.is_some())
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

    /// The variables that an inline template reads.
    fn reads(&self) -> Vec<String> {
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

impl Example {
    fn turn(prompt: String, response: String) -> Self {
        Example::Turns { turns: vec![Turn { prompt, response }], rest: String::new() }
    }

    /// A text in which these parts are learned.
    fn of(text: &str, spans: &[Range<usize>]) -> Self {
        let (mut turns, mut at) = (Vec::new(), 0);
        for span in spans {
            let end = span.end.min(text.len());
            turns.push(Turn { prompt: text[at..span.start].to_owned(), response: text[span.start..end].to_owned() });
            at = end;
        }
        Example::Turns { turns, rest: text[at..].to_owned() }
    }

    /// Whether there is nothing to learn but to stop.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Example::Turns { turns, .. } => turns.iter().any(|turn| turn.response.trim().is_empty()),
            Example::Text(text) => text.trim().is_empty(),
        }
    }
}

/// Whether Jinja source is a chat template: it reads `messages`, and no answer by itself.
fn is_chat(source: &str) -> bool {
    let source = jinja::chat_source(source);
    let env = jinja::environment();
    env.template_from_str(&source).is_ok_and(|template| {
        let reads = template.undeclared_variables(false);
        reads.contains("messages") && !fields::ANSWER.iter().any(|name| reads.contains(*name))
    })
}

/// Special tokens and the recipe's variables.
fn variables(special: BTreeMap<String, String>, prompt: &Prompt) -> Fields {
    let special = special.into_iter().map(|(name, text)| (name, text.into()));
    special.chain(prompt.variables.iter().map(|(name, value)| (name.clone(), Serde(value).into()))).collect()
}

fn bos(tokenizer: &Tokenizer) -> Option<String> {
    tokenizer.token(tokenizer.bos?)
}

/// The tokenizer's own chat template, or one of its others.
fn own<'a>(name: Option<&str>, tokenizer: &'a Tokenizer) -> Result<&'a str> {
    let found = match name {
        None => tokenizer.chat_template.as_ref(),
        Some(name) => tokenizer.chat_templates.get(name),
    };
    found.map(String::as_str).ok_or_else(|| match name {
        Some(name) => {
            let there: Vec<_> = tokenizer.chat_templates.keys().map(|name| format!("`chat:{name}`")).collect();
            let there = if there.is_empty() { "none with a name".to_owned() } else { there.join(", ") };
            Error::invalid(
                problem(format!("the tokenizer has no chat template `{name}`")).help(format!("it has {there}")),
            )
        }
        None => {
            let problem = problem("`chat` is the tokenizer's own template, and this tokenizer has none");
            Error::invalid(
                problem.help("choose another template, or put `chat_template.jinja` beside `tokenizer.json`"),
            )
        }
    })
}

/// The token that follows an answer, if it is one of the tokenizer's special ones: `<|im_end|>`, `<|eot_id|>`, …
fn end_of_turn(chat: &Chat, tokenizer: &Tokenizer) -> Option<u32> {
    let talk = serde_json::json!({ "messages": [
        { "role": "user", "content": "x" }, { "role": "assistant", "content": MARK },
    ] });
    let talk = chat.conversation(talk.as_object()?).ok()?;
    let text = chat.render(&talk, talk.messages.len(), false).ok()?.text;
    let after = text.split_once(MARK)?.1.trim_start();
    let id = *tokenizer.encode(after, false).ok()?.first()?;
    (tokenizer.is_special(id) && after.starts_with(&tokenizer.token(id)?)).then_some(id)
}

fn date(prompt: &Prompt) -> Result<Option<Date>> {
    let read = |date: &String| {
        date.parse().map_err(|e| {
            let problem = Problem::new(format!("`{date}` is not a day: {e}")).key("prompt.date");
            Error::invalid(problem.help("write it as `2026-01-31`"))
        })
    };
    prompt.date.as_ref().map(read).transpose()
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
