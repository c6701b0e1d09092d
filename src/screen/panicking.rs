//! A panic while a screen covers the terminal.

use super::{Screen, View};
use std::{fs, path::Path, process::Command, sync::Arc};

const MESSAGE: &str = "a mistake of ours";

#[test]
#[ignore = "the next test runs it, on a terminal"]
fn panics_under_a_screen() {
    crate::prepare_for_panics();
    let _screen = Screen::open(View::new("quickstart", &[]), Arc::default()).unwrap();
    panic!("{MESSAGE}");
}

/// The program `script` gives a command a terminal; what it prints comes out here.
#[test]
#[cfg(target_os = "linux")]
fn is_told_on_the_terminal_as_it_was() {
    let Some(script) = ["/usr/bin/script", "/bin/script"].into_iter().find(|path| Path::new(path).exists()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let line = format!(
        "stty -a >before; '{}' --exact screen::panicking::panics_under_a_screen --ignored --nocapture; stty -a >after",
        test.display()
    );
    let mut command = Command::new(script);
    command.args(["-qec", &line, "/dev/null"]).current_dir(folder.path()).env("TERM", "xterm");
    let out = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    let (screen, after) = out.split_once("\u{1b}[?1049l").expect(&out);
    assert!(screen.contains("\u{1b}[?1049h") && !screen.contains(MESSAGE), "{out}");
    assert!(after.contains(MESSAGE) && after.contains("\u{1b}[?25h"), "{out}");
    let settings = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(settings("before").contains(" echo"), "{}", settings("before"));
    assert_eq!(settings("before"), settings("after"));
}
