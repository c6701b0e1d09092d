//! What is shown without training: plugins, recipes, plans and examples.

use crate::setting::Setting;
use serde_json::Value;

#[test]
fn plugins_are_listed() {
    let setting = Setting::new();
    let table = setting.run(["list-plugins"]).succeeded().out;
    for row in ["dataset    instruction-csv ", "model      pythia ", "adapter    lora ", "backend    cpu "] {
        assert!(table.lines().any(|line| line.starts_with(row)), "no {row}in\n{table}");
    }
    let adapters = setting.run(["list-plugins", "--kind", "adapter"]).succeeded().out;
    assert!(adapters.lines().count() >= 2 && adapters.lines().all(|line| line.starts_with("adapter ")), "{adapters}");
    let backends = setting.run(["list-plugins", "--kind", "backend", "--format", "json"]).json();
    assert_eq!(backends["plugins"], Value::Array(Vec::new()));
    let cpu = &backends["backends"][0];
    assert_eq!((&cpu["name"], &cpu["compiled_in"]), (&"cpu".into(), &true.into()));
    assert!(!cpu["devices"].as_array().unwrap().is_empty());
    insta::assert_snapshot!(setting.run(["list-plugins", "--kind", "adaptor"]).failed(2), @"error: `--kind`: `adaptor` is not a kind of plugin; the kinds are dataset, augmenter, model, adapter, optimizer, decoder, backend");
}

#[test]
fn plugins_are_described() {
    let setting = Setting::new();
    let text = setting.run(["describe", "lora"]).succeeded().out;
    for part in ["alpha", "dropout", "example:\n\n[adapter]\nplugin = \"lora\"\n"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let about = setting.run(["describe", "lora", "--format", "json"]).json();
    assert_eq!((&about["kind"], &about["name"]), (&"adapter".into(), &"lora".into()));
    assert!(about["schema"]["properties"]["alpha"]["description"].is_string(), "{about}");
    // Capital letters, and what config.json calls the architecture.
    for (name, same) in [("LORA", "lora"), ("AdamW", "adamw"), ("gpt_neox", "pythia")] {
        assert_eq!(setting.run(["describe", name]).succeeded().out, setting.run(["describe", same]).succeeded().out);
    }
    insta::assert_snapshot!(setting.run(["describe", "lore"]).failed(2), @r"
error: no plugin, table of the recipe or backend is called `lore`; did you mean `lora`?
    Plugins: instruction-csv, instruction-json, jsonl, magazine-json, parquet, poetry-corpus, qa-xlsx, text, balance-types, clean-html, context-expansion, deduplicate, filter, key-points, normalize-text, qa-pairs, select-fields, sentence-transform, split, synonyms, gemma, gpt2, llama, mistral, mixtral, phi-3, pythia, qwen, full, ia3, lora, p-tuning, prefix-tuning, prompt-tuning, qlora, adafactor, adamw, adamw-8bit, lion, muon, sgd, beam, greedy, top-p.
    Tables: backend, model, tokenizer, tokenizer.train, dataset, augment, prompt, validation, data, adapter, objective, optimizer, train, train.early_stopping, generate, report.
    Backends: cpu, wgpu, cuda.
");
    // What is like nothing has no hint.
    for name in ["momentum", "xyz", "LR"] {
        let err = setting.run(["describe", name]).failed(2);
        assert!(
            err.starts_with(&format!("error: no plugin, table of the recipe or backend is called `{name}`\n")),
            "{err}"
        );
    }
}

#[test]
fn tables_and_backends_are_described() {
    let setting = Setting::new();
    insta::assert_snapshot!(setting.run(["describe", "Tokenizer.train"]).succeeded().out, @r#"
[tokenizer.train] of the recipe
Trains a new tokenizer on the recipe's datasets instead of loading one.

kind            "byte-level-bpe", "wordpiece", "unigram" or "character"  required  The kind of tokenizer. `byte-level-bpe`: Byte-pair encoding on bytes, as in GPT-2 (Sennrich et al., 2016, arXiv:1508.07909). Decoding restores any text exactly. `wordpiece`: Word pieces, as in BERT (Wu et al., 2016, arXiv:1609.08144). Each Chinese character is a word of its own. Decoding does not restore white space. `unigram`: Pieces chosen to maximize the likelihood of the texts under a unigram model (Kudo, 2018, arXiv:1804.10959). `character`: One token per character.
vocab_size      integer, at least 1                                      required  Maximum number of tokens, including special tokens.
min_frequency   integer, at least 1                                      1         Number of times that a pair or character must occur to enter the vocabulary.
lowercase       boolean                                                  false     Convert all text to lower case and remove accents; decoding cannot restore either. `wordpiece` only.
special_tokens  list of strings                                          -         Special tokens in addition to those of the kind, e.g. `["<|im_start|>", "<|im_end|>"]`.
"#);
    let train = setting.run(["describe", "[train]"]).succeeded().out;
    assert!(train.starts_with("[train] of the recipe\n") && train.contains("\nbatch_size "), "{train}");
    let adapter = setting.run(["describe", "adapter"]).succeeded().out;
    assert!(
        adapter.contains("\ninit_from ") && adapter.contains("`framework list-plugins --kind adapter`"),
        "{adapter}"
    );
    let table = setting.run(["describe", "train", "--format", "json"]).json();
    assert!(table["keys"].as_array().unwrap().iter().any(|key| key["key"] == "epochs"), "{table}");
    let cpu = setting.run(["describe", "CPU"]).succeeded().out;
    assert!(cpu.starts_with("backend `cpu`\n") && cpu.contains("\ncompiled in: yes\ndevice 0: "), "{cpu}");
    assert!(cpu.ends_with("\n[backend]\nname = \"cpu\"\n"), "{cpu}");
}

#[test]
fn check_plans_a_run_and_leaves_nothing() {
    let setting = Setting::new();
    let text = setting.run(["check", "recipe.toml"]).succeeded().out;
    for part in [
        "colours: the recipe is sound\n",
        "\nparameters   ",
        "\nsteps        60 in all, 1 an epoch",
        "\nmemory       about ",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let plan = setting.run(["check", "recipe.toml", "--format", "json"]).json();
    let count = |key: &str| plan[key].as_u64().unwrap();
    // r = 8 on four linears in each of two blocks of width 32.
    assert_eq!(count("trained_parameters"), 2 * 8 * ((32 + 96) + (32 + 32) + (32 + 64) + (64 + 32)));
    assert!(count("parameters") > count("trained_parameters") && count("flops_per_step") > 0);
    assert_eq!((count("steps"), count("steps_per_epoch")), (60, 1));
    assert!(count("supervised_tokens") > 20 && plan["memory"]["activations"].as_u64() > Some(0), "{plan}");
    assert_eq!(setting.files("."), ["data.csv", "recipe.toml"]);
}

/// Nothing of the model is allocated: only its shapes are known.
#[test]
#[cfg(target_os = "linux")]
fn check_says_when_a_run_does_not_fit() {
    let config = "{ vocab_size = 300, hidden_size = 65536, num_hidden_layers = 100, num_attention_heads = 64, \
        intermediate_size = 262144, max_position_embeddings = 128 }";
    let model = format!("model={{ plugin = \"pythia\", config = {config} }}");
    let tokenizer = format!("tokenizer.path={:?}", crate::setting::base());
    let args = ["check", "recipe.toml", "--set", &model, "--set", &tokenizer];
    let setting = Setting::new();
    let said = setting.run(args);
    assert_eq!(said.code, Some(1), "{}", said.err);
    for part in [
        "colours: the recipe is sound, but its run does not fit into memory\n",
        "\nparameters   5154.",
        " GiB are free\n",
        "\nto take less train.activation_checkpointing = true\n",
        "train.batch_size = 5 with train.gradient_accumulation = 2\n",
    ] {
        assert!(said.out.contains(part), "no {part} in\n{}", said.out);
    }
    let said = setting.run([&args[..], &["--format", "json"]].concat());
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    let sum: u64 = plan["memory"].as_object().unwrap().values().map(|part| part.as_u64().unwrap()).sum();
    assert_eq!((said.code, &plan["fits"]), (Some(1), &false.into()));
    assert!(sum > plan["free_memory"].as_u64().unwrap() && plan["seconds"].as_f64() > Some(1.0), "{plan}");
}

#[test]
fn preview_looks_at_the_first_records_unless_all_are_asked_for() {
    let setting = Setting::new();
    let row = |i: usize| format!("What is {i}?,,{i}\n");
    let rows: String =
        (0..1500).map(|i| if i == 1400 { format!("{},,x\n", "long ".repeat(40)) } else { row(i) }).collect();
    setting.write("data.csv", &format!("instruction,input,output\n{rows}"));
    let args = ["preview", "recipe.toml", "-n", "1", "--set", "prompt.max_length=40"];
    let some = setting.run(args).succeeded().out;
    assert!(some.contains("the first 1024 training records were checked; --all checks every record"), "{some}");
    let all = setting.run([&args[..], &["--all"]].concat());
    assert_eq!(all.code, Some(1), "{}", all.err);
    assert!(all.out.contains("1500 training records"), "{}", all.out);
}

#[test]
fn preview_marks_what_is_trained() {
    let setting = Setting::new();
    let shown = setting.run(["preview", "recipe.toml", "-n", "2"]).succeeded().out;
    insta::assert_snapshot!(shown, @r"
--- example 1 ---
What colour is the moon?
⟦grey<|endoftext|>⟧
[12 tokens, 3 trained]

--- example 2 ---
What colour is the sea?
⟦blue<|endoftext|>⟧
[12 tokens, 4 trained]

10 training records, 0 for validation
");
    // Cut where only prompts are left.
    let bad = setting.run(["preview", "recipe.toml", "-n", "1", "--set", "prompt.max_length=6"]);
    assert_eq!(bad.code, Some(1), "{}", bad.err);
    insta::assert_snapshot!(bad.err, @r"
error: no trained token is left after cutting to the greatest length in 10 examples (number 1, 2, 3, 4, 5, …)
    raise `prompt.max_length`, or shorten the prompts
");
    assert_eq!(setting.files("."), ["data.csv", "recipe.toml"]);
}

#[test]
fn output_may_end_early() {
    let setting = Setting::new();
    let program = env!("CARGO_BIN_EXE_framework");
    let shell = format!("set -o pipefail; '{program}' list-plugins | true; '{program}' describe lora | head -n 1");
    let output = setting.framework().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("framework {}\n", env!("CARGO_PKG_VERSION")));
    let output = std::process::Command::new("bash").args(["-c", &shell]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains("panicked"), "{err}");
}
