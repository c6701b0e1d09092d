//! What a sweep consists of, as it stands in its folder: another one does not go on in its place.

use super::Axis;
use framework_base::{Error, Problem, Result, files};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

const FILE: &str = "sweep.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// The filled recipe of the first run.
    pub recipe: String,
    pub axes: Vec<Axis>,
    pub trials: Option<usize>,
}

impl Definition {
    /// Refuses a folder that holds something else than this sweep.
    pub fn check(&self, folder: &Path) -> Result<()> {
        let refuse = |message: String| {
            let help = "Give the sweep a folder of its own: --to FOLDER";
            Err(Error::invalid(Problem::new(message).help(help)))
        };
        let file = folder.join(FILE);
        let Ok(text) = fs::read_to_string(&file) else {
            // A kill may have left a file half-written.
            let theirs = |entry: fs::DirEntry| !files::is_unfinished(&entry.file_name().to_string_lossy());
            return match fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(theirs)) {
                true => refuse(format!("{} holds other files than a sweep's", folder.display())),
                false => Ok(()),
            };
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(found) if found == *self => Ok(()),
            Ok(_) => refuse(format!("{} holds a sweep of other values or of another recipe", folder.display())),
            Err(e) => refuse(format!("{}: {e}", file.display())),
        }
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::failed(e.to_string()))?;
        files::write_bytes(&folder.join(FILE), &json)
    }
}
