//! What records become: templates, what `preview` finds wrong with them, and tokenizers.

use crate::setting::{Setting, base, copied_base};

/// Overrides the template of the recipe and previews one example.
fn preview(template: &str, more: &[&str]) -> crate::setting::Said {
    let setting = Setting::new();
    let template = format!("prompt.template={}", serde_json::Value::from(template));
    let mut args = vec!["preview", "recipe.toml", "-n", "1", "--set", &template];
    more.iter().for_each(|set| args.extend(["--set", set]));
    setting.run(args)
}

#[test]
fn templates_have_names_and_system_messages() {
    let shown = |template, more: &[&str]| preview(template, more).succeeded().out;
    insta::assert_snapshot!(shown("chatml", &["prompt.system='Be brief.'", "prompt.max_length=256"]), @r"
--- example 1 ---
<|im_start|>system
Be brief.<|im_end|><|endoftext|>
<|im_start|>user
What colour is the moon?<|im_end|><|endoftext|>
<|im_start|>assistant
⟦grey<|im_end|><|endoftext|>⟧
[103 tokens, 12 trained]

10 training records, 0 for validation
");
    let think = shown("think", &["prompt.system='Answer from the magazine.'", "prompt.max_length=256"]);
    let expected =
        "<think>Answer from the magazine.</think>\n\nQuestion: What colour is the moon?\n\nAnswer:⟦ grey<|endoftext|>⟧";
    assert!(think.contains(expected), "{think}");
    let thoughts = shown("deepseek-r1", &["prompt.max_length=256"]);
    assert!(thoughts.contains("<｜Assistant｜><think>\n⟦\n</think>\n\ngrey<|endoftext|>⟧"), "{thoughts}");
}

/// Exit code 1, with the examples and what to do.
#[test]
fn preview_fails_where_training_would_go_wrong() {
    let wrong = |template, more: &[&str]| {
        let said = preview(template, more);
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        said.err
    };
    let outside = "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}\
        {{ eos_token }}{% else %}{{ m.content }}\n{% endif %}{% endfor %}";
    insta::assert_snapshot!(wrong(outside, &[]), @r"
error: a trained part does not end with a token at which generation stops, so the model does not learn to stop in 10 examples (number 1, 2, 3, 4, 5, …)
    let the template put `{{ eos_token }}` after the assistant's messages, inside of `{% generation %}` if it has that
");
    insta::assert_snapshot!(wrong("{{ 'sky' if output == 'blue' else 'ground' }}: {{ output }}", &[]), @r"
error: training and generation render differently in 1 example (number 2)
    take from the template what it reads of the response before the response itself
");
    insta::assert_snapshot!(wrong("plain", &["prompt.max_length=4"]), @r"
error: no trained token is left after cutting to the greatest length in 10 examples (number 1, 2, 3, 4, 5, …)
    raise `prompt.max_length`, or shorten the prompts
");
    let today = "{{ strftime_now('%d %B %Y') }}\n{% for m in messages %}{{ m.content }}{% endfor %}";
    insta::assert_snapshot!(wrong(today, &[]), @r#"
error: the template tells what day it is: training and generation render differently from day to day in 10 examples (number 1, 2, 3, 4, 5, …)
    fix the day with `prompt.date = "2026-01-31"`, or the template's own variable with `prompt.variables`
"#);
    let fixed = preview(today, &["prompt.date='2024-02-29'"]).succeeded().out;
    assert!(fixed.contains("29 February 2024\n"), "{fixed}");
}

/// What is generated after training stops where training did: at the template's own end token, here one of the
/// tokenizer's special ones, which its files do not call an end token.
#[test]
fn a_run_with_a_chat_template_stops_at_the_end_of_a_turn() {
    let setting = Setting::with(&[("template = \"plain\"", "template = \"zephyr\"")]);
    setting.run(["train", "recipe.toml", "--set", "train.max_steps=80"]).succeeded();
    let reply =
        setting.run(["generate", "--run", "runs/colours", "--prompt", "What colour is coal?", "--format", "json"]);
    let reply = reply.json();
    assert_eq!(reply["token_ids"].as_array().unwrap().last().unwrap(), 0, "{reply}");
    assert!(!reply["text"].as_str().unwrap().contains('|'), "{reply}");
}

#[test]
fn tokenizers_are_trained_on_files_and_on_recipes() {
    let setting = Setting::new();
    setting.write("poems.txt", "春天来了，花开了。\n山间的小路开满了花。\nThe fox runs over the hill.\n");
    for kind in ["byte-level-bpe", "wordpiece", "unigram", "character"] {
        let args = ["tokenizer", "train", "poems.txt", "--kind", kind, "--vocab-size", "280", "--to", kind];
        let said = setting.run(args).succeeded().out;
        let end = if kind == "wordpiece" { "[SEP] ends, [PAD] pads" } else { "<|endoftext|> ends, <|padding|> pads" };
        assert!(said.starts_with(&format!("{kind}: ")) && said.trim_end().ends_with(end), "{said}");
        assert_eq!(setting.files(kind), ["special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]);
    }
    let again = ["tokenizer", "train", "poems.txt", "--kind", "unigram", "--vocab-size", "80", "--to", "unigram"];
    insta::assert_snapshot!(setting.run(again).failed(2), @r"
error: `--to`: unigram has a tokenizer already
    give another folder, or remove this one
");
    let args = ["tokenizer", "train", "--recipe", "recipe.toml", "--to", "own"];
    insta::assert_snapshot!(setting.run(args).failed(2), @r"
error: the recipe has no `tokenizer.train`
    give `--kind` and `--vocab-size`
");
    let more = ["--kind", "byte-level-bpe", "--vocab-size", "300", "--special-token", "<|im_end|>"];
    let said = setting.run([args.as_slice(), &more].concat()).succeeded().out;
    assert!(said.contains("300 tokens"), "{said}");
    // It is a tokenizer that a recipe can name: its special token ends a turn.
    let scratch = "[model]\nplugin = \"pythia\"\nconfig = { vocab_size = 300, hidden_size = 8, num_hidden_layers = 1, \
        num_attention_heads = 1, intermediate_size = 8 }\n[tokenizer]\npath = \"own\"\n[[dataset]]\n\
        plugin = \"instruction-csv\"\npath = \"data.csv\"\n[prompt]\ntemplate = \"chatml\"\n[adapter]\nplugin = \"full\"\n";
    setting.write("scratch.toml", scratch);
    let shown = setting.run(["preview", "scratch.toml", "-n", "1"]).succeeded().out;
    assert!(shown.contains("<|im_start|>assistant\n⟦grey<|im_end|>⟧\n"), "{shown}");
    // A file that is not text.
    std::fs::write(setting.path("bad.txt"), b"one\ntwo \xff\n").unwrap();
    let bad = ["tokenizer", "train", "bad.txt", "--kind", "character", "--vocab-size", "99", "--to", "bad"];
    insta::assert_snapshot!(setting.run(bad).failed(2), @r"
error: bad.txt: line 2 is not UTF-8
    expected text files in UTF-8
");
    assert!(base().join("tokenizer.json").exists() && !setting.path("bad").exists());
}

/// A tokenizer may have more tokens than the model; one that occurs in the data is an error, in the same words everywhere.
#[test]
fn preview_names_a_token_that_the_model_does_not_know_as_check_does() {
    let setting = Setting::new();
    copied_base(&setting);
    let mut tokenizer: serde_json::Value = serde_json::from_str(&setting.read("model/tokenizer.json")).unwrap();
    let mut extra = tokenizer["added_tokens"][0].clone();
    (extra["id"], extra["content"]) = (300.into(), "<|extra|>".into());
    tokenizer["added_tokens"].as_array_mut().unwrap().push(extra);
    setting.write("model/tokenizer.json", &tokenizer.to_string());
    setting.write("data.csv", "instruction,input,output\nsky,,blue\nsnow,,white <|extra|>\n");
    let set = ["recipe.toml", "--set", "model.weights=\"model\""];
    let check = setting.run([&["check"], &set[..]].concat()).failed(2);
    let expected =
        "`tokenizer`: the data have the token `<|extra|>` (number 300), but the model's vocabulary has only 300";
    assert!(check.contains(expected), "{check}");
    let preview = setting.run([&["preview"], &set[..]].concat());
    assert_eq!(preview.code, Some(1), "{}", preview.err);
    assert!(preview.err.contains(expected) && preview.out.contains("--- example 2 ---"), "{preview:?}");
}
