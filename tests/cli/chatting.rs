//! Conversations, and models that are named by position.

use crate::{quickstart::TRAINED, setting::Said, setting::Setting};
use std::{io::Write, process::Stdio};

/// What `chat` says when these lines are typed.
fn chat(setting: &Setting, more: &[&str], lines: &str) -> Said {
    let mut chat = setting.framework();
    chat.arg("chat").args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    // It may end before it has read everything.
    let _ = chat.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = chat.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn single_tasks_are_answered_line_by_line() {
    let run = &TRAINED.setting;
    let said =
        chat(run, &["runs/colours"], "What colour is snow?\n\nWhat colour is grass?\n/quit\nWhat colour is coal?\n");
    let said = said.succeeded();
    assert_eq!(said.out, "white\ngreen\n");
    insta::assert_snapshot!(run.redact(&said.err), @r"
model     BASE, adapter runs/colours/adapter
template  plain, a prompt for single tasks: each line is answered on its own (--memory on keeps the turns)
decoder   greedy
");
    // Without /quit, the end of the input ends it.
    assert_eq!(chat(run, &["--run", "runs/colours"], "What colour is snow?").succeeded().out, "white\n");
}

/// With its memory on, a conversation's later lines are answered as the whole of it is continued.
#[test]
fn turns_are_kept_and_forgotten() {
    let run = &TRAINED.setting;
    let (snow, grass) = ("What colour is snow?", "What colour is grass?");
    let said =
        chat(run, &["runs/colours", "--memory", "on"], &format!("{snow}\n{grass}\n/reset\n{grass}\n")).succeeded();
    assert!(said.err.contains("\ntemplate  plain, the turns are kept\n"), "{}", said.err);
    let raw = |prompt: &str| run.run(["generate", "runs/colours", prompt, "--raw"]).succeeded().out;
    let whole = raw(&format!("{snow}\nwhite<|endoftext|>\n{grass}\n"));
    assert_eq!(said.out, format!("white\n{whole}green\n"));

    // A system message is the template's first, and setting one begins anew.
    let brief = raw(&format!("Be brief.\n{grass}\n"));
    let args = ["runs/colours", "--memory", "on", "--system", "Be brief."];
    let said = chat(run, &args, &format!("{grass}\n/system\n")).succeeded();
    assert_eq!((said.out, said.err.lines().last()), (brief.clone(), Some("Be brief.")));
    let said = chat(run, &args[..3], &format!("{snow}\n/system Be brief.\n{grass}\n")).succeeded();
    assert_eq!(said.out, format!("white\n{brief}"));
}

#[test]
fn the_oldest_turns_give_way() {
    let run = &TRAINED.setting;
    let line = "What colour is snow, coal, grass, and the sea, and what colour is the moon?\n";
    let said = chat(run, &["runs/colours", "--memory", "on"], &line.repeat(4)).succeeded();
    assert!(said.err.contains("the oldest 1 turn was dropped: the model's context is full"), "{}", said.err);
    assert_eq!(said.out.lines().count(), 4, "{}", said.out);
    // One line that is too long by itself is an error, and not the end.
    let said = chat(run, &["runs/colours", "--memory", "on"], &format!("{}\nWhat colour is snow?\n", "Z".repeat(200)));
    let said = said.succeeded();
    assert!(said.err.contains("error: the prompt has ") && said.out == "white\n", "{} {}", said.err, said.out);
}

#[test]
fn commands_of_a_conversation() {
    let run = &TRAINED.setting;
    let said = chat(run, &["runs/colours"], "/help\n/system\n/resett\n").succeeded();
    let told: Vec<_> = said.err.lines().skip(3).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
/help           this list
/system         show the system message
/system TEXT    set the system message and begin anew
/reset          forget the turns so far
/quit           end; Ctrl-D does too
A line that begins with // is sent with one / less.
no system message was set; /system TEXT sets one
there is no command /resett; /help lists the commands
");
    assert_eq!(said.out, "");
    let raw = |text: &str| run.run(["generate", "runs/colours", text]).succeeded().out;
    let said = chat(run, &["runs/colours"], "//help\n/etc/hosts is what?\n").succeeded();
    assert_eq!(said.out, raw("/help") + &raw("/etc/hosts is what?"));
}

#[test]
fn templates_without_turns() {
    let run = &TRAINED.setting;
    let inline = "prompt.template=\"{{ instruction }}\\n{{ output }}\"";
    let said = chat(run, &["runs/colours", "--set", inline], "What colour is snow?\n").succeeded();
    assert_eq!(said.out, "white\n");
    let banner = "template  inline, which has no form for several turns: each line is answered on its own\n";
    assert!(said.err.contains(banner), "{}", said.err);
    let refused = |more: &[&str]| chat(run, &[&["runs/colours", "--set", inline], more].concat(), "").failed(2);
    insta::assert_snapshot!(refused(&["--memory", "on"]), @r"
error: `--memory`: the template `inline` has no form for several turns
    Leave --memory out: each line is then answered on its own.
");
    insta::assert_snapshot!(refused(&["--system", "Be brief."]), @r"error: `--system`: the template `inline` has no system message");
}

#[test]
fn models_are_named_by_position() {
    let run = &TRAINED.setting;
    let snow = "What colour is snow?";
    let say = |args: &[&str]| run.run([&["generate"], args].concat()).succeeded().out;
    assert_eq!(say(&["runs/colours", snow]), "white\n");
    assert_eq!(say(&["--run", "runs/colours", snow]), "white\n");
    assert_eq!(
        say(&["runs/colours", snow, "What colour is coal?"]),
        format!("> {snow}\nwhite\n\n> What colour is coal?\nblack\n")
    );
    let model = crate::setting::base().display().to_string();
    let base = say(&["--model", &model, "--prompt", snow]);
    assert_eq!((say(&[&model, snow]), say(&["--model", &model, snow])), (base.clone(), base));
    let refused = |args: &[&str]| run.redact(&run.run(args).failed(2));
    insta::assert_snapshot!(refused(&["generate", "--prompt", snow]), @r"
error: no model is named
    Name a run by its folder, e.g. `runs/quickstart` (or --run), or a model by its folder or its id on the hub with --model, e.g. `--model EleutherAI/pythia-160m`.
");
    insta::assert_snapshot!(refused(&["chat"]), @r"
error: no model is named
    Name a run by its folder, e.g. `runs/quickstart` (or --run), or a model by its folder or its id on the hub with --model, e.g. `--model EleutherAI/pythia-160m`.
");
    insta::assert_snapshot!(refused(&["generate", "runs/colours"]), @r"
error: there is no prompt
    Write it behind the run, `framework generate runs/quickstart TEXT`, or give --prompt TEXT or --prompts FILE.
");
    insta::assert_snapshot!(refused(&["generate", "nowhere", snow]), @r"
error: there is no run's folder nowhere
    Give the folder that `framework train` wrote, e.g. runs/quickstart.
");
    insta::assert_snapshot!(refused(&["generate", "--model", "nowhere", snow]), @r"
error: `--model`: there is no folder nowhere
    Give a Hugging Face model folder, or an id on the hub: owner/name.
");
    insta::assert_snapshot!(refused(&["generate", "--model", "runs/colours", snow]), @r"
error: `--model`: runs/colours is a run's folder, not a model's
    Leave --model out: its name alone is enough.
");
    insta::assert_snapshot!(refused(&["generate", "--model", "runs/colours/adapter", snow]), @r"
error: `--model`: runs/colours/adapter holds an adapter, not a model
    Give the model that it was trained on: --model DIR --adapter runs/colours/adapter.
");
    let adapted = ["--model", &model, "--adapter", "runs/colours/adapter", "--raw", "What colour is snow?\n"];
    assert_eq!(say(&adapted), "white\n");
    insta::assert_snapshot!(refused(&["chat", "runs/colours", "--model", &model]), @r"
error: runs/colours and an option both name a model
    Leave --run or --model out, or the first argument.
");
}

/// A tokenizer that has no token for what ends the template's messages.
#[test]
fn end_markers_that_are_no_tokens_are_told() {
    let setting = Setting::with(&[("\"plain\"", "\"chatml\""), ("max_length = 64", "max_length = 120")]);
    let err = setting.run(["check", "recipe.toml"]).succeeded().err;
    assert!(
        err.contains("[prompt] the template's end marker <|im_end|> is no single token of this tokenizer;"),
        "{err}"
    );
    // Where it is learned, answers end before its text.
    let template = "prompt.template=\"{{ instruction }}\\n{{ output }}<e>\"";
    setting.run(["train", "recipe.toml", "--set", template, "--set", "train.max_steps=100"]).succeeded();
    let reply = setting.run(["generate", "runs/colours", "What colour is coal?", "--format", "json"]).json();
    let samples = setting.read("runs/colours/samples.md");
    assert!(reply["text"] == "black" && samples.contains("\n\nblack\n"), "{reply} {samples}");
    let more = ["generate", "runs/colours", "What colour is coal?\n", "--raw"];
    assert_eq!(setting.run(more).succeeded().out, "black<e>\n");
}
