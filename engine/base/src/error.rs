//! What can go wrong in a run, and the exit code that tells.

use framework_core::PluginError;
use std::{fmt, path::PathBuf};

/// Where in a file a problem is; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, or `--set key=value` for an override.
    pub file: PathBuf,
    /// Line and column, where there are any.
    pub position: Option<(usize, usize)>,
}

/// One thing that is wrong with what the user gave, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub place: Option<Place>,
    /// The recipe's key, e.g. `train.batch_size`.
    pub key: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Error {
    /// The recipe, its files or the arguments are wrong; nothing was started. Exit code 2.
    Invalid(Vec<Problem>),
    /// Something failed on the way. Exit code 1.
    Failed(String),
}

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Problem {
    /// A problem without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// What a plugin says, with its advice.
    pub fn of(e: &PluginError) -> Self {
        Self { message: e.to_string(), help: e.help.as_deref().map(str::to_owned), ..Self::default() }
    }

    /// The same problem, with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same problem, about a key of the recipe.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n    {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Error::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// One problem with what the user gave.
    pub fn invalid(problem: Problem) -> Self {
        Error::Invalid(vec![problem])
    }

    /// A failure with a message.
    pub fn failed(message: impl Into<String>) -> Self {
        Error::Failed(message.into())
    }

    /// A failure to do something with a file.
    pub fn io(doing: &str, path: &std::path::Path, e: std::io::Error) -> Self {
        Error::Failed(format!("cannot {doing} {}: {e}", path.display()))
    }

    /// The same, about a key of the recipe where no other was named.
    #[must_use]
    pub fn about(mut self, key: &str) -> Self {
        if let Error::Invalid(problems) = &mut self {
            problems.iter_mut().for_each(|problem| _ = problem.key.get_or_insert_with(|| key.to_owned()));
        }
        self
    }

    /// Everything that is wrong here and there. A failure goes before wrong input.
    #[must_use]
    pub fn and(self, other: Error) -> Self {
        match (self, other) {
            (Error::Invalid(mut problems), Error::Invalid(others)) => {
                let more: Vec<_> = others.into_iter().filter(|other| !problems.contains(other)).collect();
                problems.extend(more);
                Error::Invalid(problems)
            }
            (failed @ Error::Failed(_), _) | (_, failed) => failed,
        }
    }

    /// Two results, or everything that is wrong with either.
    pub fn both<A, B>(a: Result<A>, b: Result<B>) -> Result<(A, B)> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(a.and(b)),
            (Err(e), Ok(_)) | (Ok(_), Err(e)) => Err(e),
        }
    }

    /// 2 for wrong input, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Invalid(_) => 2,
            Error::Failed(_) => 1,
        }
    }
}

impl From<PluginError> for Error {
    fn from(e: PluginError) -> Self {
        let help = e.help.as_ref().map(|help| format!("\n    {help}")).unwrap_or_default();
        Error::Failed(format!("{e}{help}"))
    }
}
