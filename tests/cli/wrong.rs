//! Wrong recipes: everything at once, with place and remedy, exit code 2, and nothing left behind.

use crate::setting::Setting;

/// What `train` says of a wrong recipe.
fn wrong(changes: &[(&str, &str)]) -> String {
    told(&Setting::with(changes), &[])
}

fn told(setting: &Setting, set: &[&str]) -> String {
    let before = setting.files(".");
    let mut args = vec!["train", "recipe.toml"];
    args.extend(set.iter().flat_map(|set| ["--set", set]));
    let err = setting.run(&args).failed(2);
    assert_eq!(setting.files("."), before);
    assert!(!setting.path("runs").exists());
    setting.redact(&err)
}

#[test]
fn misspelled_keys() {
    insta::assert_snapshot!(wrong(&[("batch_size", "batchsize"), ("alpha", "alhpa"), ("learning_rate", "lr")]), @r"
error: recipe.toml:19:1: `adapter.alhpa`: unknown key
    did you mean `alpha`?
recipe.toml:24:1: `optimizer.lr`: unknown key
    here the key is `learning_rate`
recipe.toml:28:1: `train.batchsize`: unknown key
    did you mean `batch_size`?
");
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(wrong(&[("r = 8", "r = \"8\""), ("max_steps = 60", "max_steps = true")]), @r#"
error: recipe.toml:18:5: `adapter.r`: expected an integer, found the string "8"
    without the quotation marks: r = 8
recipe.toml:27:13: `train.max_steps`: expected an integer, found true
"#);
}

#[test]
fn unknown_plugins() {
    insta::assert_snapshot!(wrong(&[("plugin = \"lora\"", "plugin = \"lore\""), ("\"instruction-csv\"", "\"csv\"")]), @r"
error: recipe.toml:9:10: `dataset.0.plugin`: there is no dataset `csv`
    plugins of kind dataset: instruction-csv, instruction-json, jsonl, magazine-json, parquet, poetry-corpus, qa-xlsx, text
    libraries were looked for in: the recipe's `plugins` and `--plugin` (none named), FRAMEWORK_PLUGIN_PATH (not set), no-data/framework/plugins (no such folder)
recipe.toml:17:10: `adapter.plugin`: there is no adapter `lore`; did you mean `lora`?
    plugins of kind adapter: full, ia3, lora, p-tuning, prefix-tuning, prompt-tuning, qlora
    libraries were looked for in: the recipe's `plugins` and `--plugin` (none named), FRAMEWORK_PLUGIN_PATH (not set), no-data/framework/plugins (no such folder)
");
}

#[test]
fn missing_files() {
    insta::assert_snapshot!(wrong(&[("data.csv", "dta.csv")]), @r"
error: recipe.toml:10:8: `dataset.0.path`: there is no file or folder dta.csv
    did you mean data.csv?
");
    insta::assert_snapshot!(told(&Setting::new(), &["model.weights=nowhere"]), @r"
error: --set model.weights=nowhere: `model.weights`: there is no file or folder nowhere
    paths start from the working directory; ids on the hub are owner/name
");
    // A recipe's file is no hint for a model's folder.
    let setting = Setting::with(&[("BASE", "pythia-14m")]);
    setting.write("pythia-14m.toml", "");
    insta::assert_snapshot!(told(&setting, &[]), @r"
error: recipe.toml:6:11: `model.weights`: there is no file or folder pythia-14m
    paths start from the recipe's folder; ids on the hub are owner/name
");
    insta::assert_snapshot!(Setting::new().run(["train", "recpe.toml"]).failed(2), @r"
error: there is no recipe recpe.toml
    did you mean recipe.toml?
");
}

#[test]
fn bad_rows() {
    let setting = Setting::new();
    setting.write("data.csv", "instruction,input,output\nWhat?,,That.\nWho?,me\n");
    insta::assert_snapshot!(told(&setting, &[]), @r#"
error: recipe.toml:8:1: `dataset.0`: dataset `instruction-csv`: data.csv:3: the row has 2 fields, but the header has 3; put fields that contain the delimiter, quotes or line breaks in double quotes; `on_error = "skip"` leaves such rows out
"#);
    setting.write("data.csv", "instruction,input,output\nWhat?,,That.\n\nWho?,,\"me\n");
    insta::assert_snapshot!(told(&setting, &[]), @r#"
error: recipe.toml:8:1: `dataset.0`: dataset `instruction-csv`: data.csv:4: a quote that opens in this row is never closed; `on_error = "skip"` leaves such rows out
"#);
    setting.write("data.csv", "question,answer\nWhat?,That.\n");
    insta::assert_snapshot!(told(&setting, &[]), @"error: recipe.toml:8:1: `dataset.0`: dataset `instruction-csv`: data.csv:1: there is no column `instruction`; the columns are `question`, `answer`: say which one to read with `instruction`, or set `delimiter` if they are not split");
}

#[test]
fn targets_that_match_nothing() {
    insta::assert_snapshot!(wrong(&[("\"all-linear\"", "[\"q_proj\", \"v_proj\"]")]), @"error: recipe.toml:20:11: `adapter.targets`: adapter `lora`: the target `q_proj` matches no linear projection of this model; there are query_key_value, dense, dense_h_to_4h, dense_4h_to_h");
    insta::assert_snapshot!(wrong(&[("\"all-linear\"", "\"all-linear\"\nlayers = \"5-9\"")]), @"error: recipe.toml:21:10: `adapter.layers`: adapter `lora`: `layers` names block 9; the model has 2, from 0 to 1");
}

#[test]
fn templates_without_a_response() {
    insta::assert_snapshot!(wrong(&[("\"plain\"", "\"Question: {{ instruction }} Answer:\"")]), @r"
error: recipe.toml:13:12: `prompt.template`: template without the response: nothing would be trained
    put `{{ output }}` (or `{{ response }}`) where the model's answer stands, usually at the end, or write a chat template, which reads `messages`
");
    insta::assert_snapshot!(wrong(&[("\"plain\"", "\"{{ instruction }} {{ response\"")]), @"error: recipe.toml:13:12: `prompt.template`: the template fails in line 1: syntax error: unexpected end of input, expected end of variable block (in prompt:1)");
}

#[test]
fn prompts_that_leave_no_room() {
    insta::assert_snapshot!(told(&Setting::new(), &["prompt.max_length=3"]), @r"
error: recipe.toml:8:1: `dataset`: nothing is left to train on: 10 records were read, 10 went into training, 10 examples came out of the augmenters, and 10 of them were dropped because no trained token was left
    raise `prompt.max_length`: the prompts alone fill it
");
    insta::assert_snapshot!(wrong(&[("max_length = 64", "max_length = 512"), ("\"plain\"", "\"{{ instruction * 40 }} {{ output }}\"")]), @r"
error: recipe.toml:14:14: `prompt.max_length`: an example has 404 tokens, but the model has only 128 positions
    Set it to 128 or less.
");
}

#[test]
fn several_at_once() {
    insta::assert_snapshot!(
        wrong(&[
            ("seed = 7", "sed = 7"),
            ("data.csv", "dta.csv"),
            ("\"plain\"", "\"plane\""),
            ("r = 8", "r = 0"),
            ("\"adamw\"", "\"adam\""),
            ("log_every = 5", "log_every = 5\nload_best = true"),
        ]),
        @r#"
error: recipe.toml:2:1: `sed`: unknown key
    did you mean `seed`?
recipe.toml:10:8: `dataset.0.path`: there is no file or folder dta.csv
    did you mean data.csv?
recipe.toml:13:12: `prompt.template`: expected a template's name or a Jinja template, found the string "plane"
    the names are "alpaca", "chatml", "deepseek", "deepseek-r1", "phi-3", "plain", "think", "zephyr", "chat"; Jinja has {{ }}
recipe.toml:18:5: `adapter.r`: adapter `lora`: `r` must be at least 1
recipe.toml:23:10: `optimizer.plugin`: there is no optimizer `adam`; did you mean `adamw`?
    plugins of kind optimizer: adafactor, adamw, adamw-8bit, lion, muon, sgd
    libraries were looked for in: the recipe's `plugins` and `--plugin` (none named), FRAMEWORK_PLUGIN_PATH (not set), no-data/framework/plugins (no such folder)
recipe.toml:30:13: `train.load_best`: there is no validation data to compare by
    [validation] fraction = 0.1, or a [[dataset]] with split = "validation"
"#
    );
}

/// What only reading the files can tell is told together, too.
#[test]
fn several_in_what_is_read() {
    let setting = Setting::with(&[("\"all-linear\"", "[\"q_proj\"]"), ("\"plain\"", "\"{{ instruction }}\"")]);
    setting.write("data.csv", "instruction,input,output\nWhat?,\n");
    insta::assert_snapshot!(told(&setting, &[]), @r#"
error: recipe.toml:8:1: `dataset.0`: dataset `instruction-csv`: data.csv:2: the row has 2 fields, but the header has 3; put fields that contain the delimiter, quotes or line breaks in double quotes; `on_error = "skip"` leaves such rows out
recipe.toml:13:12: `prompt.template`: template without the response: nothing would be trained
    put `{{ output }}` (or `{{ response }}`) where the model's answer stands, usually at the end, or write a chat template, which reads `messages`
recipe.toml:20:11: `adapter.targets`: adapter `lora`: the target `q_proj` matches no linear projection of this model; there are query_key_value, dense, dense_h_to_4h, dense_4h_to_h
"#);
    let out = setting.run(["check", "recipe.toml"]).failed(2);
    assert_eq!(out, setting.run(["train", "recipe.toml"]).failed(2));
    let out = setting.run(["preview", "recipe.toml"]).failed(2);
    assert!(out.contains("recipe.toml:13:12: `prompt.template`: "), "{out}");
}

#[test]
fn overrides() {
    let setting = Setting::new();
    let set = ["train.batch_sizes=4", "adapter.r=many", "dataset.3.path=x", "nothing", "name.first=x"];
    insta::assert_snapshot!(told(&setting, &set), @r#"
error: --set dataset.3.path=x: `dataset`: there is no element 3: there is 1 element, counted from 0
--set nothing: expected a key and a value
    for example --set train.batch_size=4
--set name.first=x: `name`: is the string "colours", not a table
"#);
    insta::assert_snapshot!(told(&setting, &["train.batch_sizes=4", "adapter.r=many"]), @r#"
error: --set train.batch_sizes=4: `train.batch_sizes`: unknown key
    did you mean `batch_size`?
--set adapter.r=many: `adapter.r`: expected an integer, found the string "many"
"#);
}

#[test]
fn weights_that_do_not_fit() {
    let setting = Setting::new();
    let weights = crate::setting::base();
    std::fs::create_dir(setting.path("other")).unwrap();
    for entry in std::fs::read_dir(weights).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, setting.path("other").join(path.file_name().unwrap())).unwrap();
    }
    let config = setting.read("other/config.json");
    assert!(config.contains("\"intermediate_size\": 64"), "{config}");
    setting.write("other/config.json", &config.replace("\"intermediate_size\": 64", "\"intermediate_size\": 80"));
    insta::assert_snapshot!(told(&setting, &["model.weights=other"]), @r"
error: other/model.safetensors: `model.weights`: tensor `gpt_neox.layers.0.mlp.dense_h_to_4h.weight` has the shape [64, 32]; expected [80, 32]
    the configuration and the weights do not belong together
");
    std::fs::remove_file(setting.path("other/tokenizer.json")).unwrap();
    insta::assert_snapshot!(told(&setting, &["model.weights=other"]), @r"
error: other/model.safetensors: `model.weights`: tensor `gpt_neox.layers.0.mlp.dense_h_to_4h.weight` has the shape [64, 32]; expected [80, 32]
    the configuration and the weights do not belong together
other: `tokenizer`: no `tokenizer.json` is here
    found tokenizer_config.json, special_tokens_map.json, chat_template.jinja; make a `tokenizer.json` from them with `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)`
");
}

#[test]
#[cfg(not(feature = "cuda"))]
fn backends_that_are_not_compiled_in() {
    insta::assert_snapshot!(wrong(&[("seed = 7", "seed = 7\nbackend.name = \"cuda\"")]), @r"
error: recipe.toml:3:1: `backend`: backend `cuda` is not compiled into this program
    To go on: build with `cargo build --release --features cuda`.
");
    let setting = Setting::new();
    for command in ["train", "check", "eval"] {
        let err = setting.run([command, "recipe.toml", "--backend", "cuda"]).failed(2);
        assert!(err.contains("backend `cuda` is not compiled into this program"), "{err}");
    }
    insta::assert_snapshot!(setting.run(["train", "recipe.toml", "--backend", "gpu"]).failed(2), @r#"
error: --set backend.name="gpu": `backend.name`: expected "cpu", "wgpu" or "cuda", found "gpu"
    did you mean "wgpu"?
"#);
}

/// What lies in a folder decides what is said, before anything else of it is read.
#[test]
fn folders_of_another_kind() {
    let setting = Setting::new();
    for (folder, file) in
        [("empty", ""), ("gguf", "m-Q4.gguf"), ("a-model", "config.json"), ("an-adapter", "adapter_config.json")]
    {
        std::fs::create_dir(setting.path(folder)).unwrap();
        if !file.is_empty() {
            setting.write(&format!("{folder}/{file}"), "{}");
        }
    }
    let refused = |args: &[&str]| setting.redact(&setting.run(args).failed(2));
    let all: Vec<_> = ["empty", "gguf"].map(|model| refused(&["generate", "--model", model, "--prompt", "a"])).to_vec();
    insta::assert_snapshot!(all.concat(), @r"
error: empty: no `model.safetensors` and no `model.safetensors.index.json` is here
    a Hugging Face model folder with its weights as safetensors is needed
error: gguf: no `model.safetensors` and no `model.safetensors.index.json` is here
    found m-Q4.gguf: GGUF is not read; use the Hugging Face folder that it was made from
");
    let all: Vec<_> = ["empty", "a-model", "an-adapter"].map(|run| refused(&["eval", run])).to_vec();
    insta::assert_snapshot!(all.concat(), @r"
error: empty is not a run's folder: there is no recipe.toml in it
    Give the folder that `framework train` wrote, e.g. runs/quickstart.
error: a-model is not a run's folder: there is no recipe.toml in it
    It is a model's folder: give it with --model a-model
error: an-adapter is not a run's folder: there is no recipe.toml in it
    It is an adapter's folder: give its base model and the adapter, --model MODEL --adapter an-adapter
");
}
