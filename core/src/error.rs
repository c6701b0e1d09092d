//! The one error that crosses the plugin boundary.

use std::{fmt, panic::resume_unwind};

/// An error raised by a plugin or by an operator that a plugin asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    /// What went wrong and what to do, without the plugin's name.
    pub message: String,
    /// Where in its source the plugin panicked, if it did: `file:line`.
    pub panicked_at: Option<String>,
    /// The plugin that it happened in; the host fills this in.
    pub plugin: Option<String>,
}

/// A result whose error is a [`PluginError`].
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

impl PluginError {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), panicked_at: None, plugin: None }
    }

    /// An error in a file, at a line counted from 1.
    pub fn at(file: &std::path::Path, line: u64, message: impl fmt::Display) -> Self {
        Self::new(format!("{}:{line}: {message}", file.display()))
    }

    /// The same error, said to have happened in `plugin` unless it already names one.
    #[must_use]
    pub fn in_plugin(mut self, plugin: &str) -> Self {
        self.plugin.get_or_insert_with(|| plugin.to_owned());
        self
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plugin) = &self.plugin {
            write!(f, "{plugin}: ")?;
        }
        match &self.panicked_at {
            Some(place) => write!(f, "panicked at {place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for PluginError {}

impl From<serde_json::Error> for PluginError {
    fn from(e: serde_json::Error) -> Self {
        Self::new(e.to_string())
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
