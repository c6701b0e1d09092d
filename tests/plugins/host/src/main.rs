//! Loads the libraries that it is given, tries all their plugins out, and says what each augmenter knows of a method
//! that is new.

use framework_core::{Kind, ffi::AugmenterObject};
use framework_registry::{Entry, Registry, check::check_registry};
use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let libraries: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let registry = match Registry::from_libraries(&libraries) {
        Ok(registry) => registry,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    let report = check_registry(&registry);
    print!("{report}");
    for entry in registry.list(Some(Kind::Augmenter)) {
        println!("{} answers {}", entry.about.label(), augmenter(entry).grown());
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn augmenter(entry: &Entry) -> AugmenterObject {
    let example = framework_core::conformance::example(&entry.about).expect("an example");
    entry.augmenter(&example).unwrap_or_else(|e| panic!("{e}"))
}
