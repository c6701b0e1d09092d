//! `train --tui` where there is no terminal, and on one of its own.

use crate::setting::{Setting, said};
use std::{path::Path, process::Command};

const SHORT: [(&str, &str); 2] = [("max_steps = 60", "max_steps = 4"), ("log_every = 5", "log_every = 1")];

#[test]
fn without_a_terminal_progress_is_told_in_lines() {
    let setting = Setting::with(&SHORT);
    let said = setting.run(["train", "recipe.toml", "--tui"]).succeeded();
    assert!(
        said.err.contains("\n--tui: standard error is no terminal; progress is told in lines\nstep 1/4  "),
        "{}",
        said.err
    );
    assert!(said.out.contains("saved ") && !said.err.contains('\u{1b}'));
}

/// The program `script` gives a command a terminal; what it prints comes out here.
fn on_a_terminal(setting: &Setting, more: &str, typed: &str) -> Option<(Option<i32>, String)> {
    let program = ["/usr/bin/script", "/bin/script"].into_iter().find(|path| Path::new(path).exists())?;
    let framework = env!("CARGO_BIN_EXE_framework");
    let line = format!("stty rows 24 cols 80; '{framework}' train recipe.toml --tui {more}; echo exit $?");
    let mut command = Command::new(program);
    command.args(["-qec", &line, "/dev/null"]).current_dir(setting.path(".")).env("TERM", "xterm");
    command.env("FRAMEWORK_TOKEN_CACHE", "").env("XDG_DATA_HOME", setting.path("no-data"));
    setting.write("typed", typed);
    command.stdin(std::fs::File::open(setting.path("typed")).unwrap());
    let said = said(&mut command);
    let code = said.out.rsplit("exit ").next().and_then(|code| code.trim().parse().ok());
    Some((code, said.out))
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_terminal_there_is_a_screen_and_then_the_terminal_as_it_was() {
    let (enter, leave) = ("\u{1b}[?1049h", "\u{1b}[?1049l");
    let setting = Setting::with(&SHORT);
    let Some((code, out)) = on_a_terminal(&setting, "", "") else { return };
    assert_eq!(code, Some(0), "{out}");
    let (screen, after) = out.split_once(leave).unwrap();
    assert!(screen.contains(enter) && screen.contains("colours") && screen.contains("loss"), "{out}");
    assert!(after.contains("saved ") && after.contains("talk to it: framework chat runs/colours"), "{after}");
    // An error is told when the screen is gone.
    let diverging = "--set optimizer.learning_rate=1e30 --set train.max_grad_norm=0";
    let (code, out) = on_a_terminal(&setting, diverging, "").unwrap();
    let (_, after) = out.split_once(leave).unwrap();
    assert!(code == Some(1) && after.contains("error: step "), "{out}");
    // q saves and ends; how far the run has come until it was read depends on the machine.
    let long = "--set train.max_steps=100000";
    let (code, out) = on_a_terminal(&setting, long, "q").unwrap();
    let (_, after) = out.split_once(leave).unwrap();
    assert_eq!(code, Some(130), "{out}");
    assert!(
        after.contains("stopping after this step") && after.contains(" of 100000, and saved; to go on: "),
        "{after}"
    );
}
