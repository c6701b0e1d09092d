//! One process at a time writes into a run's folder.

use framework_base::{Error, Problem, Result};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::Duration,
};

/// The file that is locked. The system releases the lock when the process ends, however it ends.
pub const LOCK: &str = ".lock";

/// [`Hold::is_taken`] holds the lock for a moment, which must not end a run that begins just then.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(20);

/// The right to write into a run's folder, as long as it lives.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

impl Hold {
    /// Takes the right, or says that another process has it.
    pub fn of(root: &Path) -> Result<Self> {
        let path = root.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| Error::io("write", &path, e))?;
        let mut locked = file.try_lock();
        for _ in 0..TRIES {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            thread::sleep(PAUSE);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process is training into {}", root.display());
                let help = "Wait until it ends, or give this run a folder of its own: --set output=runs/NAME";
                return Err(Error::invalid(Problem::new(message).key("output").help(help)));
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(e)) => tracing::warn!("{} cannot be locked: {e}", path.display()),
        }
        Ok(Self { _file: file })
    }

    /// Whether another process has the right. Where the system has no locks, nobody has.
    pub fn is_taken(root: &Path) -> bool {
        let file = File::open(root.join(LOCK));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}
