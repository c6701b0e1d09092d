//! Ctrl-C, SIGTERM and SIGHUP end a run after its step; a second Ctrl-C or SIGTERM ends the process.

use crate::screen;
#[cfg(unix)]
use std::io;
use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The exit code of what was stopped by a signal, as shells have it.
pub const STOPPED: u8 = 130;

/// Becomes true with the first of the signals.
pub fn stop_on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, mut hung_up) = (stop.clone(), false);
    let handler = move |signal| match signal {
        // A terminal that goes away sends SIGHUP more than once.
        Signal::HungUp if asked.load(Ordering::Relaxed) => {}
        Signal::HungUp => {
            hung_up = true;
            ask_to_stop(&asked);
        }
        // The first that asks: the run is about to be saved, and is not to be ended before.
        Signal::Asked if hung_up => hung_up = false,
        Signal::Asked => ask_to_stop(&asked),
    };
    if let Err(e) = listen(handler) {
        tracing::warn!("Ctrl-C ends the run without saving: {e}");
    }
    stop
}

/// Asks a run to stop after its step; whoever asks twice ends the process.
pub fn ask_to_stop(stop: &AtomicBool) {
    if stop.swap(true, Ordering::Relaxed) {
        screen::leave();
        process::exit(STOPPED.into());
    }
    eprintln!("stopping after this step; once more ends at once, without saving");
}

/// What signals say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// Somebody wants the process to end: SIGINT or SIGTERM.
    Asked,
    /// The terminal is gone: SIGHUP.
    #[cfg_attr(not(unix), expect(dead_code))]
    HungUp,
}

#[cfg(unix)]
fn listen(mut handler: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    let hang_up = (!ignores_hang_up()).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up))?;
    let each = move || {
        for signal in signals.forever() {
            handler(if signal == SIGHUP { Signal::HungUp } else { Signal::Asked });
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(each).map(drop)
}

#[cfg(not(unix))]
fn listen(mut handler: impl FnMut(Signal) + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || handler(Signal::Asked))
}

/// Whether the process was started to go on without its terminal, as `nohup` does it. Where that cannot be found out,
/// SIGHUP is left alone.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}
