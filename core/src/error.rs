//! The one error that crosses the plugin boundary.

use serde::{Deserialize, Serialize};
use std::{fmt, panic::resume_unwind, path::Path};

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user: an option or the data cannot be used as they are.
    #[default]
    Invalid,
    /// The user: an option is not known. [`PluginError::key`] is its name.
    UnknownKey,
    /// The plugin's author: it panicked. [`PluginError::place`] is where in its source.
    Panicked,
    /// The plugin's author: what it gave breaks the contract, such as text that is not UTF-8.
    Broken,
    /// Nobody knows yet: something failed on the way. A kind that a newer plugin may send counts as this one.
    #[serde(other)]
    Failed,
}

/// An error raised by a plugin or by an operator that a plugin asked for. Small, because it is in every result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginError {
    /// Who has to do something about it.
    #[serde(default)]
    pub kind: ErrorKind,
    /// What went wrong and what was expected, without the plugin's name.
    pub message: String,
    /// The option that it is about, e.g. `targets` or `near.shingle`. The host finds where the recipe gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Box<str>>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Box<str>>,
    /// Where it is: a file and a line, such as `data.csv:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<str>>,
    /// What there is instead of what was asked for, such as the columns of a table.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub known: Box<[String]>,
    /// The plugin that it happened in; the host fills this in. An adapter's error passes through the model that called
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Box<str>>,
}

/// A result whose error is a [`PluginError`].
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

impl PluginError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// An error about an option: ``PluginError::option("r", "must be at least 1")`` says `` `r` must be at least 1 ``.
    pub fn option(key: &str, message: impl fmt::Display) -> Self {
        Self::new(format!("`{key}` {message}")).key(key)
    }

    /// An error in a file, at a line counted from 1.
    pub fn at(file: &Path, line: u64, message: impl fmt::Display) -> Self {
        Self::new(message.to_string()).place(format!("{}:{line}", file.display()))
    }

    /// The same error, said to be there: a file and a line, perhaps a column.
    #[must_use]
    pub fn place(self, place: impl Into<Box<str>>) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    /// The same error, about this option.
    #[must_use]
    pub fn key(self, key: impl Into<Box<str>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same error, with what to do next.
    #[must_use]
    pub fn help(self, help: impl Into<Box<str>>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same error, of another kind.
    #[must_use]
    pub fn kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// The same error, with what there is instead.
    #[must_use]
    pub fn known(self, known: impl IntoIterator<Item = String>) -> Self {
        Self { known: known.into_iter().collect(), ..self }
    }

    /// Whether the plugin panicked.
    pub fn panicked(&self) -> bool {
        self.kind == ErrorKind::Panicked
    }

    /// Whether the plugin's author has to do something about it: no input or option excuses it.
    pub fn is_fault(&self) -> bool {
        matches!(self.kind, ErrorKind::Panicked | ErrorKind::Broken)
    }

    /// The same error, said to have happened in `plugin` unless it already names one.
    #[must_use]
    pub fn in_plugin(mut self, plugin: &str) -> Self {
        self.plugin.get_or_insert_with(|| plugin.into());
        self
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plugin) = &self.plugin {
            write!(f, "{plugin}: ")?;
        }
        match (&self.place, self.panicked()) {
            (Some(place), true) => write!(f, "panicked at {place}: ")?,
            (None, true) => f.write_str("panicked: ")?,
            (Some(place), false) => write!(f, "{place}: ")?,
            (None, false) => {}
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for PluginError {}

/// What serde says of options or of JSON; a field that it does not know or misses is the key.
impl From<serde_json::Error> for PluginError {
    fn from(e: serde_json::Error) -> Self {
        let message = e.to_string();
        let named = |beginning: &str| Some(Box::from(message.strip_prefix(beginning)?.split_once('`')?.0));
        let (unknown, missing) = (named("unknown field `"), named("missing field `"));
        let kind = if unknown.is_some() { ErrorKind::UnknownKey } else { ErrorKind::Invalid };
        Self { kind, key: unknown.or(missing), ..Self::new(message) }
    }
}

/// Leaves the current plugin call with an error.
///
/// Operators on tensors return tensors, not results; this is how they fail. It unwinds without calling the panic hook,
/// and the guard around every trait method turns it back into an `Err`.
#[cold]
pub fn raise(error: PluginError) -> ! {
    resume_unwind(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[allow(dead_code)]
        rate: f64,
    }

    #[test]
    fn errors_about_options_have_their_keys() {
        let read = |json: &str| PluginError::from(serde_json::from_str::<Options>(json).unwrap_err());
        let unknown = read(r#"{"rat": 1.0}"#);
        assert_eq!((unknown.kind, unknown.key.as_deref()), (ErrorKind::UnknownKey, Some("rat")));
        assert_eq!(read("{}").key.as_deref(), Some("rate"));
        let refused = PluginError::option("rate", "must be positive").help("give 0.1").in_plugin("augmenter `a`");
        assert_eq!(refused.to_string(), "augmenter `a`: `rate` must be positive");
        assert_eq!(PluginError::at(Path::new("a.csv"), 3, "no").to_string(), "a.csv:3: no");
    }

    /// What a newer plugin adds does not stop an error from arriving.
    #[test]
    fn errors_of_newer_plugins_are_read() {
        let newer = r#"{"kind": "throttled", "message": "later", "retry": 3}"#;
        let read: PluginError = serde_json::from_str(newer).unwrap();
        assert_eq!((read.kind, read.message.as_str()), (ErrorKind::Failed, "later"));
    }
}
