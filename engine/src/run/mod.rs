//! The run's folder: where everything about a run is found again.

mod lock;
mod log;
mod metrics;

pub use lock::Lock;
pub(crate) use lock::{LockedPlugin, read_files};
pub use log::LogFile;
pub use metrics::{Metrics, append as append_metrics, read as read_metrics, truncate as truncate_metrics};

use crate::{
    error::{Error, Problem, Result},
    files,
};
use std::path::{Path, PathBuf};

/// Whether a run was killed before its folder was described: there is nothing in it to keep.
fn is_half_made(root: &Path) -> bool {
    let empty = |dir: &Path| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    let ours = |name: &str| ["tokenizer", "lock.toml"].contains(&name) || files::is_unfinished(name);
    std::fs::read_dir(root).is_ok_and(|entries| {
        entries.flatten().all(|e| match e.file_name().to_str() {
            Some("checkpoints") => empty(&e.path()),
            name => name.is_some_and(ours),
        })
    })
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder of a run that exists.
    pub fn open(root: &Path) -> Result<Self> {
        let run = Self { root: root.to_owned() };
        if run.recipe().is_file() {
            return Ok(run);
        }
        let message = match root.is_dir() {
            true => format!("{} is not a run's folder: there is no recipe.toml in it", root.display()),
            false => format!("there is no run's folder {}", root.display()),
        };
        Err(Error::invalid(
            Problem::new(message).help("Give the folder that `framework train` wrote, e.g. runs/quickstart."),
        ))
    }

    /// Makes a new run's folder. An older run in its place is kept: it is renamed to `<name>.1`, `<name>.2`, ….
    /// Returns the new name of the older run, if there was one.
    pub fn create(root: &Path) -> Result<(Self, Option<PathBuf>)> {
        let mut kept = None;
        if root.exists() && !is_half_made(root) {
            let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let free = (1..).map(|i| root.with_file_name(format!("{name}.{i}"))).find(|p| !p.exists());
            if let Some(free) = free {
                std::fs::rename(root, &free).map_err(|e| Error::io("set the earlier run aside as", &free, e))?;
                kept = Some(free);
            }
        }
        let run = Self { root: root.to_owned() };
        files::create_dir(&run.checkpoints())?;
        files::clear_unfinished(root);
        files::clear_unfinished(&run.checkpoints());
        Ok((run, kept))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The filled recipe.
    pub fn recipe(&self) -> PathBuf {
        self.root.join("recipe.toml")
    }
    /// Versions and hashes of what the run was made of.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock.toml")
    }
    /// A line of JSON for each logged step.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }
    /// Everything that was said.
    pub fn log(&self) -> PathBuf {
        self.root.join("train.log")
    }
    /// Sampled answers.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples.md")
    }
    /// What the run came to.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }
    /// The trained adapter in PEFT's format.
    pub fn adapter(&self) -> PathBuf {
        self.root.join("adapter")
    }
    /// The trained model as a Hugging Face folder, when all of it was trained.
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }
    /// The tokenizer, when it was trained with the run.
    pub fn tokenizer(&self) -> PathBuf {
        self.root.join("tokenizer")
    }
    /// Checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::write_bytes;

    #[test]
    fn only_runs_that_have_begun_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("run");
        let (run, _) = RunFolder::create(&root).unwrap();
        write_bytes(&run.lock(), b"").unwrap();
        std::fs::write(root.join(".writing-abc"), "").unwrap();
        std::fs::create_dir(root.join(".tokenizer.tmp")).unwrap();
        let (run, kept) = RunFolder::create(&root).unwrap();
        assert!(kept.is_none());
        assert_eq!(root.read_dir().unwrap().count(), 2);
        write_bytes(&run.recipe(), b"").unwrap();
        assert_eq!(RunFolder::create(&root).unwrap().1, Some(dir.path().join("run.1")));
    }
}
