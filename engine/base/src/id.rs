//! Names of things on the hub.

use std::{fmt, path::Path};

/// What an id is to be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A model with its tokenizer.
    Model,
    /// A tokenizer.
    Tokenizer,
    /// A PEFT adapter.
    Adapter,
}

/// `owner/name`, maybe with `@revision`: a branch, a tag or a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// `owner/name`.
    pub name: String,
    /// The revision; none: the branch `main`.
    pub revision: Option<String>,
}

impl Id {
    /// Reads `owner/name[@revision]`, maybe with `hf://` before it; none if it is nothing of the kind.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("hf://").unwrap_or(text);
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let (owner, short) = name.split_once('/')?;
        let sound = is_word(owner) && is_word(short) && revision.is_none_or(is_revision);
        sound.then(|| Self { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// The revision, the default written out.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The commit, if the revision is one: what it names never changes.
    pub fn commit(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| is_commit(revision))
    }

    /// The same at a commit.
    pub fn at(&self, commit: &str) -> Self {
        Self { name: self.name.clone(), revision: Some(commit.to_owned()) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

/// Whether a word may be an owner, a name, or a part of a revision; joined to a folder it stays in the folder.
fn is_word(word: &str) -> bool {
    word.len() <= 96
        && word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !word.contains("--")
        && !word.contains("..")
}

fn is_revision(revision: &str) -> bool {
    let part = |part: &str| is_word(&part.replace("--", "-").replace('+', "-"));
    !revision.is_empty() && revision.split('/').all(part)
}

/// Whether a revision is a commit's whole hash.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the folder that should hold a path is there: then the path is most likely misspelled, not an id.
pub fn has_parent(path: &Path) -> bool {
    path.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && parent.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let id = Id::parse("EleutherAI/pythia-14m").unwrap();
        assert_eq!((id.name.as_str(), id.revision(), id.commit()), ("EleutherAI/pythia-14m", "main", None));
        let id = Id::parse("hf://Qwen/Qwen2.5-0.5B@refs/pr/3").unwrap();
        assert_eq!((id.name.as_str(), id.revision()), ("Qwen/Qwen2.5-0.5B", "refs/pr/3"));
        assert_eq!(id.to_string(), "Qwen/Qwen2.5-0.5B@refs/pr/3");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Id::parse(&format!("a/b@{commit}")).unwrap().commit(), Some(commit));
    }

    #[test]
    fn what_is_no_id() {
        for text in
            ["gpt2", "a/b/c", "../b", "a/..", "a/.b", "/a/b", "~/b", "a/b@", "a/b@../../x", "a/b@/x", "a--b/c", ""]
        {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
