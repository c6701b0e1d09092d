//! The `framework` command: one file per sub-command, no logic of its own.

/// As the standard one, but nobody has to read stderr: a closed pipe (`framework train … 2>&1 | head`) ends no command.
macro_rules! eprintln {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(crate::held::Stderr, $($text)*);
    }};
}

mod allocator;
mod cli;
mod commands;
mod held;
mod progress;
mod screen;
mod signals;
mod terminal;

// The built-in plugins are linked in by naming their crates.
use plugin_adapters as _;
use plugin_augmenters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;

use clap::Parser;
use std::{panic, process::ExitCode};

/// Whoever reads what is printed may stop reading: `framework list-plugins | head`. Any other panic is told on the terminal as
/// it was before a screen.
fn prepare_for_panics() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout: Broken pipe")) {
            std::process::exit(0);
        }
        // A message on a screen would vanish with it.
        screen::leave();
        previous(info);
    }));
}

/// Stack of a thread: commands run on one.
const STACK: usize = 16 << 20;

/// Runs a command on one of the threads that compute: it would have to wake them up and sleep for every operator otherwise.
fn on_the_pool<R: Send>(command: impl FnOnce() -> R + Send) -> R {
    // Where the system gives no threads, rayon says so at the first use.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK).build_global();
    rayon::scope(|_| command())
}

fn main() -> ExitCode {
    allocator::keep_memory();
    prepare_for_panics();
    framework_core::ffi::install_panic_hook();
    let cli = cli::Cli::parse();
    progress::init_logging(cli.verbose);
    progress::show_downloads();
    match on_the_pool(|| cli.run()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
