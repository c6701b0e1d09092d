//! No panic crosses the boundary.

use super::{RawResult, send};
use crate::{ErrorKind, PluginError, Result};
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a plugin's method and turns panics and raised errors into an `Err`.
pub fn guard<T>(f: impl FnOnce() -> Result<T>) -> RawResult<T> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(f));
    DEPTH.set(DEPTH.get() - 1);
    send(result.unwrap_or_else(|payload| {
        let payload = match payload.downcast::<PluginError>() {
            Ok(raised) => return Err(*raised),
            Err(payload) => payload,
        };
        let message = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "a panic without a message".into());
        let mut error = PluginError::new(message).kind(ErrorKind::Panicked);
        error.place = Some(PLACE.take().unwrap_or_else(|| "an unknown place".into()).into());
        std::mem::forget(payload); // dropping a payload may panic again
        Err(error)
    }))
}

/// Makes panics inside a guard silent and remembers where they happened. Called for every executable and for every
/// dynamic library, each of which has a standard library, and so a hook, of its own. Later calls change nothing.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                return previous(info);
            }
            PLACE.set(info.location().map(|l| format!("{}:{}", l.file(), l.line())));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors_with_their_place() {
        install_panic_hook();
        let error = PluginError::from(guard::<()>(|| panic!("no {}", "way")).unwrap_err());
        assert_eq!(error.message, "no way");
        assert!(error.panicked() && error.place.unwrap().contains("guard.rs:"));
    }

    #[test]
    fn raised_errors_stay_as_they_are() {
        let error = PluginError::from(guard::<()>(|| crate::raise(PluginError::new("wrong shape"))).unwrap_err());
        assert_eq!(error, PluginError::new("wrong shape"));
    }
}
