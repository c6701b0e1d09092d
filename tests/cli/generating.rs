//! Answers: to several prompts, with beams, drawn, and up to a stop string.

use crate::setting::Setting;
use serde_json::Value;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// The base model, given prompts as they are.
fn arguments<'a>(setting: &Setting, more: &[&'a str]) -> (Command, Vec<&'a str>) {
    let mut command = setting.framework();
    command.args(["generate", "--raw", "--set", "max_new_tokens=12", "--model"]).arg(crate::setting::base());
    (command, more.to_vec())
}

fn said(setting: &Setting, more: &[&str]) -> crate::setting::Said {
    let (mut command, more) = arguments(setting, more);
    crate::setting::said(command.args(more))
}

fn replies(setting: &Setting, more: &[&str]) -> Value {
    said(setting, &[more, &["--format", "json"]].concat()).json()
}

#[test]
fn several_prompts_are_answered_in_order() {
    let setting = Setting::new();
    let prompts = ["What colour is snow?\n", "What", "What colour is the sea?\n", "A"];
    let alone: Vec<_> = prompts.iter().map(|prompt| replies(&setting, &["--prompt", prompt])).collect();
    let given: Vec<_> = prompts.iter().flat_map(|prompt| ["--prompt", prompt]).collect();
    for decoder in [&[][..], &["--batch-size", "3"]] {
        let together = replies(&setting, &[&given[..], decoder].concat());
        let together = together.as_array().unwrap();
        assert_eq!(together.len(), 4);
        for (one, other) in alone.iter().zip(together) {
            assert_eq!((&one["text"], &one["token_ids"]), (&other["text"], &other["token_ids"]));
        }
    }
    // From a file, each line a prompt; those given beside it come first.
    setting.write("prompts.txt", "What\n\nA\n");
    let text = said(&setting, &["--prompt", "A", "--prompts", "prompts.txt"]).succeeded().out;
    let answer = |i: usize| alone[i]["text"].as_str().unwrap();
    assert_eq!(text, format!("> A\n{}\n\n> What\n{}\n\n> A\n{}\n", answer(3), answer(1), answer(3)));
    let (mut command, more) = arguments(&setting, &["--prompts", "-", "--format", "json"]);
    let mut child = command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"What").unwrap();
    let one: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(one["text"], answer(1));

    setting.write("empty.txt", "\n \n");
    for (file, problem) in [("empty.txt", "there is no prompt in the file"), ("none.txt", "cannot read none.txt")] {
        let error = said(&setting, &["--prompts", file]).failed(2);
        assert!(error.contains(&format!("`--prompts`: {problem}")), "{error}");
    }
}

#[test]
fn beams_find_answers_that_are_at_least_as_likely() {
    let setting = Setting::new();
    let beam = ["--prompt", "What colour is", "--decoder", "beam", "--set", "num_beams=3"];
    let reply = replies(&setting, &beam);
    assert!(!reply["text"].as_str().unwrap().is_empty());
    let plain = said(&setting, &beam).succeeded();
    assert_eq!((plain.out, plain.err), (format!("{}\n", reply["text"].as_str().unwrap()), String::new()));
    let error = said(&setting, &["--prompt", "A", "--decoder", "beam", "--set", "num_beams=1"]).failed(2);
    assert!(error.contains("num_beams") && error.contains("at least 2"), "{error}");
}

#[test]
fn settings_of_other_decoders_point_to_them() {
    let setting = Setting::new();
    let error = |set: &str| said(&setting, &["--prompt", "A", "--set", set]).failed(2);
    insta::assert_snapshot!(error("temperature=0"), @r#"
    error: --set generate.temperature=0: `generate.temperature`: must be above 0, but is 0
        plugin = "greedy" takes the likeliest token every time
    "#);
    let beams = error("num_beams=3");
    assert!(beams.contains("plugin = \"beam\" searches with beams"), "{beams}");
}

#[test]
fn settings_without_effect_are_told() {
    let setting = Setting::new();
    let sharp = ["--prompt", "A", "--set", "temperature=0.8", "--set", "top_p=0.9"];
    let beam = ["--decoder", "beam", "--set", "num_beams=2"];
    let warning = "[generate] `temperature`, `top_p` have no effect: the decoder `beam`, as it is set, does not sample";
    let told = |more: &[&[&str]]| said(&setting, &more.concat()).succeeded().err;
    assert!(told(&[&sharp, &beam]).contains(warning));
    assert_eq!(told(&[&sharp, &beam, &["--set", "sample=true"]]), "");
    assert_eq!(told(&[&sharp, &["--decoder", "top-p"]]), "");
    // In a recipe, with the place.
    let setting = Setting::with(&[("[generate]\n", "[generate]\ntop_k = 5\n")]);
    let err = setting.run(["check", "recipe.toml"]).succeeded().err;
    assert!(err.contains("recipe.toml:33:9: ") && err.contains("`top_k` has no effect: the decoder `greedy`"), "{err}");
}

#[test]
fn seeds_decide_what_is_drawn() {
    let setting = Setting::new();
    for decoder in [&["--decoder", "top-p"][..], &["--decoder", "beam", "--set", "num_beams=2", "--set", "sample=true"]]
    {
        let ids = |seed: &str, count: usize| {
            let prompts = ["--prompt", "The "].repeat(count);
            let args = [&prompts[..], decoder, &["--seed", seed, "--set", "temperature=1.5"]].concat();
            let replies = replies(&setting, &args);
            let list = replies.as_array().cloned().unwrap_or_else(|| vec![replies.clone()]);
            list.iter().map(|reply| reply["token_ids"].clone()).collect::<Vec<_>>()
        };
        let three = ids("1", 3);
        assert_eq!(ids("1", 3), three);
        assert_eq!(ids("1", 1), three[..1]);
        assert_ne!(ids("2", 1), three[..1]);
        assert!(three[0] != three[1] && three[1] != three[2], "{three:?}");
    }
}

#[test]
fn answers_end_before_stop_strings() {
    let setting = Setting::new();
    let whole = replies(&setting, &["--prompt", "What"]);
    let text: Vec<char> = whole["text"].as_str().unwrap().chars().collect();
    // Two characters from the middle, where they come first.
    let stop: String = text[text.len() / 2..][..2].iter().collect();
    let whole_text = whole["text"].as_str().unwrap();
    let before = &whole_text[..whole_text.find(&stop).unwrap()];
    let cut = ["--prompt", "What", "--stop", &stop, "--stop", "never said"];
    let reply = replies(&setting, &cut);
    assert_eq!(reply["text"], before);
    let (ids, all) = (reply["token_ids"].as_array().unwrap(), whole["token_ids"].as_array().unwrap());
    assert!(ids.len() < all.len() && ids[..] == all[..ids.len()]);
    assert_eq!(said(&setting, &cut).succeeded().out, format!("{before}\n"));
    let error = said(&setting, &["--prompt", "A", "--stop", ""]).failed(2);
    assert!(error.contains("generate.stop.0") && error.contains("empty"), "{error}");
}
