//! How a prompt template comes about: from a name, from the tokenizer, from the recipe.

use super::{
    builtin::{BUILTIN, Builtin},
    chat::Chat,
    fields::{self, Fields},
    jinja,
    preference::Reads,
    template::{Form, MARK, Template, broken, invalid, problem},
};
use crate::tokenizer::Tokenizer;
use framework_base::{Error, Problem, Result};
use framework_recipe::Prompt;
use jiff::civil::Date;
use minijinja::value::Serde;
use std::collections::BTreeMap;

impl Template {
    /// [`Template::of`] a template's name or source alone.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self> {
        Self::of(&Prompt { template: source.to_owned(), ..Prompt::default() }, tokenizer)
    }

    /// Compiles a template: a name ([`framework_recipe::TEMPLATES`]), `chat` for the tokenizer's own, `chat:NAME` for
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
        let behind = prompt.template.rsplit_once("}}").and_then(|(_, text)| marker(text));
        let marks = unstopped(behind, &stops, tokenizer);
        Ok(Self {
            name: "inline".into(),
            form,
            bos,
            add_special: true,
            lead: "",
            turns: prompt.turns,
            stops,
            marks,
            reads: Reads::default(),
        })
    }

    fn built_in(builtin: &'static Builtin, prompt: &Prompt, tokenizer: &Tokenizer) -> Result<Self> {
        let mut chat = Chat::new(builtin.source, date(prompt)?)?;
        chat.builtin = Some(builtin);
        let mut special = tokenizer.special_tokens();
        special.insert("end".into(), builtin.end_for(tokenizer));
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
        chat.objects = chat.builtin.map_or_else(|| chat.expects_objects(), |builtin| builtin.no_tools.is_none());
        let mut stops = tokenizer.eos.clone();
        for end in [end_of_turn(&chat, tokenizer), end_of_call(&chat, tokenizer)] {
            stops.extend(end.filter(|id| !stops.contains(id)));
        }
        let marks = unstopped(after_answer(&chat).as_deref().and_then(marker), &stops, tokenizer);
        // A marker that is no token ends an answer as well: generation stops there, and nobody generates what follows.
        let ends = stops.iter().filter_map(|id| tokenizer.token(*id)).filter(|end| !end.is_empty());
        chat.ends = ends.chain(marks.iter().cloned()).collect();
        let form = Form::Chat(Box::new(chat));
        let (name, bos) = (name.into(), bos(tokenizer));
        Self {
            name,
            form,
            bos,
            add_special: false,
            lead: "",
            turns: prompt.turns,
            stops,
            marks,
            reads: Reads::default(),
        }
    }
}

impl Builtin {
    /// What ends a message with this tokenizer.
    pub(super) fn end_for(&self, tokenizer: &Tokenizer) -> String {
        let whole = !self.end.is_empty() && tokenizer.id(self.end).is_some();
        let eos = tokenizer.token(tokenizer.end()).filter(|_| !whole).unwrap_or_default();
        self.end.to_owned() + &eos
    }
}

/// Whether Jinja source is a chat template: it reads `messages`, and no answer by itself.
pub(super) fn is_chat(source: &str) -> bool {
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
pub(super) fn own<'a>(name: Option<&str>, tokenizer: &'a Tokenizer) -> Result<&'a str> {
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

/// The token that a message ends with that calls a function, if it is a special one; it may be another than that of
/// answers, such as `<|call|>`.
fn end_of_call(chat: &Chat, tokenizer: &Tokenizer) -> Option<u32> {
    let call = serde_json::json!({ "id": "abcdefghi", "type": "function", "function": {
        "name": "f", "arguments": { "x": MARK },
    } });
    let talk = serde_json::json!({ "messages": [
        { "role": "user", "content": "x" }, { "role": "assistant", "content": "", "tool_calls": [call] },
    ] });
    let talk = chat.conversation(talk.as_object()?).ok()?;
    let text = chat.render(&talk, talk.messages.len(), false).ok()?.text;
    let after = text.split_once(MARK)?.1.trim_end();
    let id = *tokenizer.encode(after, false).ok()?.last()?;
    (tokenizer.is_special(id) && after.ends_with(&tokenizer.token(id)?)).then_some(id)
}

/// The token that follows an answer, if it is one of the tokenizer's special ones: `<|im_end|>`, `<|eot_id|>`, …
fn end_of_turn(chat: &Chat, tokenizer: &Tokenizer) -> Option<u32> {
    let after = after_answer(chat)?;
    let after = after.trim_start();
    let id = *tokenizer.encode(after, false).ok()?.first()?;
    (tokenizer.is_special(id) && after.starts_with(&tokenizer.token(id)?)).then_some(id)
}

/// The text that follows an answer.
fn after_answer(chat: &Chat) -> Option<String> {
    let talk = serde_json::json!({ "messages": [
        { "role": "user", "content": "x" }, { "role": "assistant", "content": MARK },
    ] });
    let talk = chat.conversation(talk.as_object()?).ok()?;
    let text = chat.render(&talk, talk.messages.len(), false).ok()?.text;
    Some(text.split_once(MARK)?.1.to_owned())
}

/// The end marker that a text begins with: `<|im_end|>`, `<end_of_turn>`, …
fn marker(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let marker = &text[..=text.find('>')?];
    let is_name = |c: char| !c.is_whitespace() && c != '<';
    (marker.starts_with('<') && marker.len() > 2 && marker[1..].chars().all(is_name)).then_some(marker)
}

/// The marker, unless it is a token at which generation stops.
fn unstopped(marker: Option<&str>, stops: &[u32], tokenizer: &Tokenizer) -> Vec<String> {
    let stops_at = |marker: &&str| tokenizer.id(marker).is_some_and(|id| stops.contains(&id));
    marker.filter(|marker| !stops_at(marker)).map(str::to_owned).into_iter().collect()
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

fn unknown(name: &str) -> Error {
    let mut names: Vec<_> = BUILTIN.iter().map(|b| b.name).chain(["chat"]).collect();
    names.sort_by(|a, b| strsim::jaro_winkler(b, name).total_cmp(&strsim::jaro_winkler(a, name)));
    let near = names.first().filter(|near| strsim::jaro_winkler(near, name) > 0.7);
    let hint = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
    names.sort_unstable();
    let help = format!("there are {}, or Jinja source with `{{{{ output }}}}`", names.join(", "));
    Error::invalid(problem(format!("there is no template `{name}`{hint}")).help(help))
}
