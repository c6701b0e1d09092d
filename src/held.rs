//! Standard error, which is held back while a screen covers it.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What was written since the screen was opened; none without a screen.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Vec<u8>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error for progress and logs.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match held().as_mut() {
            Some(held) => {
                held.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Holds back from here on.
pub fn begin() {
    held().get_or_insert_default();
}

/// The last lines that are held back.
pub fn last(count: usize) -> Vec<String> {
    let held = held();
    let text = String::from_utf8_lossy(held.as_deref().unwrap_or_default());
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Prints what was held back.
pub fn end() {
    if let Some(text) = held().take() {
        let _ = io::stderr().write_all(&text);
    }
}
