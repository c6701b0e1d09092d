//! What the fuzz targets have in common: a file is written and read as the framework reads it, through the boundary.
//!
//! A reader may end with records or with an error that names the file. A panic, an error without a file and another
//! outcome on reading again are findings; libFuzzer adds what takes too long or too much memory.

use framework_sdk::{
    Kind, Record, Result,
    ffi::{Build, install_panic_hook, linked},
    serde_json::{Value, json},
};
use plugin_datasets as _;
use std::{cell::OnceCell, fs, path::PathBuf};

mod packed;

pub use packed::{table, workbook};

/// Bytes at the beginning of an input that choose the options.
pub const CHOICES: usize = 6;

/// The most records that are read: a few bytes of Parquet may repeat a row as often as they like.
const RECORDS: usize = 20_000;

/// What the first bytes of an input choose.
pub struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    /// One of these.
    pub fn of<T: Clone>(&mut self, from: &[T]) -> T {
        let byte = self.0.next().copied().unwrap_or(0);
        from[usize::from(byte) % from.len()].clone()
    }

    /// The `encoding` option.
    pub fn encoding(&mut self) -> &'static str {
        self.of(&["auto", "utf-8", "gb18030", "utf-16le", "iso-2022-jp", "big5"])
    }
}

/// Reads an input with a plugin. `choose` gives the file's name and the plugin's options.
pub fn fuzz(plugin: &'static str, input: &[u8], choose: impl FnOnce(&mut Choices) -> (&'static str, Value)) {
    fuzz_made(plugin, input, |choices, content| {
        let (name, options) = choose(choices);
        (name, options, content.to_vec())
    });
}

/// The same for a file that is made of the input.
pub fn fuzz_made(
    plugin: &'static str,
    input: &[u8],
    make: impl FnOnce(&mut Choices, &[u8]) -> (&'static str, Value, Vec<u8>),
) {
    let Some((choices, content)) = input.split_at_checked(CHOICES) else { return };
    let mut choices = Choices(choices.iter());
    let on_error = choices.of(&["error", "skip"]);
    let twice = choices.of(&[false, false, false, true]);
    let (name, mut options, content) = make(&mut choices, content);
    HARNESS.with(|harness| {
        let harness = harness.get_or_init(|| Harness::new(plugin));
        let path = harness.folder.join(name);
        fs::write(&path, content).expect("the temporary folder can be written to");
        options["path"] = json!(path);
        options["on_error"] = json!(on_error);
        let read = harness.read(&options);
        if let Err(e) = &read {
            assert!(!e.panicked(), "{}", e.message);
            assert!(e.message.contains(name), "names no file: {}", e.message);
        }
        if twice {
            assert_eq!(read, harness.read(&options), "read again, it is something else");
        }
    });
}

thread_local! {
    static HARNESS: OnceCell<Harness> = const { OnceCell::new() };
}

struct Harness {
    plugin: &'static str,
    build: Build,
    folder: PathBuf,
}

impl Harness {
    fn new(plugin: &'static str) -> Self {
        // After libFuzzer's own, which ends the process: behind the boundary a panic becomes an error.
        install_panic_hook();
        let found = linked().into_iter().find(|d| d.about.kind == Kind::Dataset && d.about.name == plugin);
        let folder = std::env::temp_dir().join(format!("framework-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        Self { plugin, build: found.expect("the plugin is linked").build, folder }
    }

    fn read(&self, options: &Value) -> Result<Vec<Record>> {
        self.build.dataset(self.plugin, options)?.open(&Default::default())?.take(RECORDS).collect()
    }
}
