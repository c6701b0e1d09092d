//! The run's folder: where everything about a run is found again.

mod checkpoints;
mod facts;
mod hold;
mod lock;
mod log;
mod metrics;
pub(crate) mod number;
mod summary;

pub(crate) use checkpoints::{OPTIMIZER, STATE, TRAINED, is_checkpoint};
pub(crate) use facts::processor;
pub use facts::{Expected, Facts, Machine};
pub use hold::Hold;
pub use lock::{Change, Lock};
pub(crate) use lock::{LockedPlugin, read_files};
pub use log::LogFile;
pub(crate) use log::now;
pub use metrics::{Metrics, append as append_metrics, read as read_metrics, truncate as truncate_metrics};
pub use summary::Summary;

use framework_base::{Error, Problem, Result, files};
use std::path::{Path, PathBuf};

/// Whether there is nothing in a folder to keep: it is empty, or a run was killed in it before it was described.
fn is_half_made(root: &Path) -> bool {
    let empty = |dir: &Path| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    let ours =
        |name: &str| ["tokenizer", "lock.toml", "facts.json", hold::LOCK].contains(&name) || files::is_unfinished(name);
    std::fs::read_dir(root).is_ok_and(|entries| {
        entries.flatten().all(|e| match e.file_name().to_str() {
            Some("checkpoints") => empty(&e.path()),
            name => name.is_some_and(ours),
        })
    })
}

/// Whether a run has written a folder: it has described itself there.
pub(crate) fn is_run(root: &Path) -> bool {
    let lock = std::fs::read_to_string(root.join("lock.toml"));
    root.join("recipe.toml").is_file() && lock.is_ok_and(|text| toml::from_str::<Lock>(&text).is_ok())
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
        let help = if root.join("adapter_config.json").is_file() {
            format!(
                "It is an adapter's folder: give its base model and the adapter, --model MODEL --adapter {}",
                root.display()
            )
        } else if root.join("config.json").is_file() {
            format!("It is a model's folder: give it with --model {}", root.display())
        } else {
            "Give the folder that `framework train` wrote, e.g. runs/quickstart.".into()
        };
        Err(Error::invalid(Problem::new(message).help(help)))
    }

    /// Refuses an output that a run must not take: a folder that no run has written, a file, `..`.
    ///
    /// # Errors
    /// [`Error::Invalid`], about the key `output`.
    pub fn check_output(root: &Path) -> Result<()> {
        let wrong = |message: String| {
            let help = "Give the run a folder of its own: output = \"runs/NAME\", or --set output=runs/NAME";
            Err(Error::invalid(Problem::new(message).key("output").help(help)))
        };
        if root.file_name().is_none() {
            return wrong(format!("{} is no name for a new folder", root.display()));
        }
        match root.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io("look into", root, e)),
            Ok(_) if !root.is_dir() => wrong(format!("{} is not a folder", root.display())),
            Ok(_) if is_run(root) || is_half_made(root) => Ok(()),
            Ok(_) => wrong(format!("{} holds other files than a run's, and is left as it is", root.display())),
        }
    }

    /// Makes a new run's folder and holds it. An older run in its place is kept: it is renamed to `<name>.1`,
    /// `<name>.2`, …. Returns the new name of the older run, if there was one.
    pub fn create(root: &Path) -> Result<(Self, Hold, Option<PathBuf>)> {
        Self::check_output(root)?;
        let mut kept = None;
        if root.exists() && !is_half_made(root) {
            let held = Hold::of(root)?;
            let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let free = (1..).map(|i| root.with_file_name(format!("{name}.{i}"))).find(|p| !p.exists());
            // Windows does not rename a folder in which a file is open.
            let _held = (!cfg!(windows)).then_some(held);
            if let Some(free) = free {
                std::fs::rename(root, &free).map_err(|e| Error::io("set the earlier run aside as", &free, e))?;
                kept = Some(free);
            }
        }
        let run = Self { root: root.to_owned() };
        files::create_dir(root)?;
        let held = Hold::of(root)?;
        files::create_dir(&run.checkpoints())?;
        run.clear_unfinished();
        Ok((run, held, kept))
    }

    /// The folder of a run that is to go on, held.
    ///
    /// # Errors
    /// There is no run in it, or another process holds it.
    pub fn reopen(root: &Path) -> Result<(Self, Hold)> {
        let run = Self::to_resume(root)?;
        let held = Hold::of(root)?;
        run.clear_unfinished();
        Ok((run, held))
    }

    /// The folder of a run that is to go on.
    pub(crate) fn to_resume(root: &Path) -> Result<Self> {
        let run = Self { root: root.to_owned() };
        if run.recipe().is_file() {
            return Ok(run);
        }
        let message = format!("there is no run in {} to resume", root.display());
        let help = "Begin one: the same command without --resume. `output` and `name` say where a run is.";
        Err(Error::invalid(Problem::new(message).help(help)))
    }

    fn clear_unfinished(&self) {
        files::clear_unfinished(&self.root);
        files::clear_unfinished(&self.checkpoints());
        files::clear_unfinished(&self.plots());
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
    /// A line of JSON for each time that the run was resumed with other settings.
    pub fn resumed(&self) -> PathBuf {
        self.root.join("resumed.jsonl")
    }
    /// Sampled answers.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples.md")
    }
    /// Event files for TensorBoard.
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tensorboard")
    }
    /// What was known of the run when it began.
    pub fn facts(&self) -> PathBuf {
        self.root.join("facts.json")
    }
    /// The run as a page.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }
    /// The page's plots as SVG.
    pub fn plots(&self) -> PathBuf {
        self.root.join("plots")
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
    /// What the reference of an objective says of the data.
    pub fn reference(&self) -> PathBuf {
        self.root.join("reference.safetensors")
    }
    /// What a teacher says of the training data.
    pub fn teacher(&self) -> PathBuf {
        self.root.join("teacher.safetensors")
    }
    /// Checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framework_base::files::write_bytes;

    #[test]
    fn only_runs_that_have_begun_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("run");
        let (run, held, _) = RunFolder::create(&root).unwrap();
        drop(held);
        write_bytes(&run.lock(), b"").unwrap();
        std::fs::write(root.join(".writing-abc"), "").unwrap();
        std::fs::create_dir(root.join(".tokenizer.tmp")).unwrap();
        let (run, held, kept) = RunFolder::create(&root).unwrap();
        assert!(kept.is_none());
        assert_eq!(root.read_dir().unwrap().count(), 3); // checkpoints, the lock, lock.toml
        write_bytes(&run.lock(), Lock::default().to_toml().as_bytes()).unwrap();
        write_bytes(&run.recipe(), b"").unwrap();
        let e = RunFolder::create(&root).unwrap_err().to_string();
        assert!(e.contains("another process is training into ") && e.contains("--set output=runs/NAME"), "{e}");
        assert!(RunFolder::reopen(&root).unwrap_err().to_string().contains("another process"));
        drop(held);
        assert_eq!(RunFolder::create(&root).unwrap().2, Some(dir.path().join("run.1")));
    }

    #[test]
    fn what_no_run_has_written_stays_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let photos = dir.path().join("photos");
        std::fs::create_dir(&photos).unwrap();
        std::fs::write(photos.join("a.jpg"), "").unwrap();
        // A recipe alone makes no run of a folder.
        std::fs::write(photos.join("recipe.toml"), "").unwrap();
        for wrong in [photos.clone(), photos.join("a.jpg"), photos.join(".."), "/".into(), "..".into(), "".into()] {
            let e = RunFolder::create(&wrong).unwrap_err();
            assert_eq!(e.exit_code(), 2, "{}: {e}", wrong.display());
        }
        assert!(photos.join("a.jpg").is_file());
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
        RunFolder::create(&photos.join("new/run")).unwrap();
        std::fs::create_dir(photos.join("empty")).unwrap();
        assert_eq!(RunFolder::create(&photos.join("empty")).unwrap().2, None);
        assert!(RunFolder::reopen(&dir.path().join("none")).unwrap_err().to_string().contains("there is no run in "));
    }
}
