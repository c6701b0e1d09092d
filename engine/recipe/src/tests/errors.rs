//! What users are told.

use super::{Folder, GOOD, is_below, problems};
use insta::assert_snapshot;

#[test]
fn a_complete_recipe_is_fine() {
    assert_snapshot!(problems(GOOD), @"fine");
}

#[test]
fn misspelled_keys() {
    let recipe = r#"sed = 1
batch_size = 4

[modle]
plugin = "pythia"

[model]
plugin = "pythia"
weights = "base"

[train]
batchsize = 4
learning_rate = 1e-3
save_evry = 10
lr = 3
output = "runs/x"

[[dataset]]
plugin = "csv"
pth = "data.csv"
limt = 3

[optimizer]
lr = 1e-3

[adapter]
plugin = "full"
r = 3
"#;
    assert_snapshot!(problems(recipe), @r"
r.toml:1:1: `sed`: unknown key
    did you mean `seed`?
r.toml:2:1: `batch_size`: unknown key
    `batch_size` is a key of `[train]`
r.toml:4:2: `modle`: unknown key
    did you mean `model`?
r.toml:12:1: `train.batchsize`: unknown key
    did you mean `batch_size`?
r.toml:13:1: `train.learning_rate`: unknown key
    `learning_rate` is a key of `[optimizer]`
r.toml:14:1: `train.save_evry`: unknown key
    did you mean `save_every`?
r.toml:15:1: `train.lr`: unknown key
    here the key is `learning_rate` in `[optimizer]`
r.toml:16:1: `train.output`: unknown key
    `output` is a key of the recipe itself, outside of any other table
r.toml:20:1: `dataset.0.pth`: unknown key
    did you mean `path`? `dataset.0` with the plugin `csv` has: plugin, limit, split, weight, path, delimiter, columns, source
r.toml:21:1: `dataset.0.limt`: unknown key
    did you mean `limit`?
r.toml:24:1: `optimizer.lr`: unknown key
    here the key is `learning_rate`
r.toml:28:1: `adapter.r`: unknown key
    `adapter` with the plugin `full` has: plugin, init_from
");
}

#[test]
fn wrong_types() {
    let recipe = r#"
name = 7
[model]
plugin = "pythia"
weights = "base"
[dataset]
plugin = "csv"
[train]
batch_size = "8"
gradient_accumulation = 2.0
shuffle = "true"
eval_every = true
early_stopping = 3
warmup_steps = 2024-01-01
[adapter]
targets = 3
r = [8]
[generate]
prompts = "Hello"
[[validation]]
fraction = 0.1
"#;
    assert_snapshot!(problems(recipe), @r#"
r.toml:2:8: `name`: expected a string, found the integer 7
    in quotation marks: name = "7"
r.toml:6:1: `dataset`: expected a list of tables, found a table
    write [[dataset]]: there can be several
r.toml:9:14: `train.batch_size`: expected an integer, found the string "8"
    without the quotation marks: batch_size = 8
r.toml:10:25: `train.gradient_accumulation`: expected an integer, found the number 2.0
r.toml:11:11: `train.shuffle`: expected true or false, found the string "true"
    without the quotation marks: shuffle = true
r.toml:12:14: `train.eval_every`: expected "epoch", "end", a number of steps or a share of the run below 1, found true
r.toml:13:18: `train.early_stopping`: expected a table, found the integer 3
    for example early_stopping = { patience = … }
r.toml:14:16: `train.warmup_steps`: expected an integer, found the date 2024-01-01
r.toml:16:11: `adapter.targets`: expected a string or a list of strings, found the integer 3
r.toml:17:5: `adapter.r`: expected an integer, found a list
r.toml:19:11: `generate.prompts`: expected a list of strings, found the string "Hello"
    in brackets: prompts = ["Hello"]
r.toml:20:1: `validation`: expected a table, found a list
    write [validation]: there is only one
"#);
}

#[test]
fn values_that_are_not_among_those_allowed() {
    let recipe = format!(
        r#"{GOOD}
split = "valid"
[backend]
name = "gpu"
[train]
schedule = "cosin"
save_every = "epochs"
[adapter]
quant = "nf5"
[prompt]
template = "alpacca"
"#
    );
    assert_snapshot!(problems(&recipe), @r#"
r.toml:10:9: `dataset.0.split`: expected "train" or "validation", found "valid"
    did you mean "validation"?
r.toml:12:8: `backend.name`: expected "cpu", "wgpu" or "cuda", found "gpu"
    did you mean "wgpu"?
r.toml:14:12: `train.schedule`: expected "constant", "linear", "cosine", "cosine-restarts", "polynomial" or "inverse-sqrt", found "cosin"
    did you mean "cosine"?
r.toml:15:14: `train.save_every`: expected "epoch", "end", a number of steps or a share of the run below 1, found "epochs"
    did you mean "epoch"?
r.toml:17:9: `adapter.quant`: expected "nf4", "fp4" or "int8", found "nf5"
    did you mean "nf4"?
r.toml:19:12: `prompt.template`: expected a template's name or a Jinja template, found the string "alpacca"
    did you mean "alpaca"? the names are "alpaca", "chatml", "deepseek", "deepseek-r1", "phi-3", "plain", "think", "zephyr", "chat"; Jinja has {{ }}
"#);
}

#[test]
fn values_out_of_range() {
    let recipe = format!(
        r#"{GOOD}
weight = 0
[train]
batch_size = 0
epochs = -1.0
save_every = 0
max_grad_norm = inf
[validation]
fraction = 1.0
[generate]
temperature = 0
top_p = 1.5
min_new_tokens = 200
[adapter]
r = 0
"#
    );
    assert_snapshot!(problems(&recipe), @r#"
r.toml:10:10: `dataset.0.weight`: must be above 0, but is 0
r.toml:12:14: `train.batch_size`: must be at least 1, but is 0
r.toml:13:10: `train.epochs`: must be above 0, but is -1.0
r.toml:14:14: `train.save_every`: must be at least 1, but is 0
r.toml:15:17: `train.max_grad_norm`: must be at least 0, but is inf
r.toml:17:12: `validation.fraction`: must be from 0 to below 1, but is 1.0
r.toml:19:15: `generate.temperature`: must be above 0, but is 0
    plugin = "greedy" takes the likeliest token every time
r.toml:20:9: `generate.top_p`: must be above 0, up to 1, but is 1.5
r.toml:21:18: `generate.min_new_tokens`: 200 is more than `max_new_tokens`, which is 128
r.toml:23:5: `adapter.r`: must be at least 1, but is 0
"#);
}

#[test]
fn unknown_plugins() {
    let recipe = r#"
[model]
plugin = "pythea"
weights = "base"
[[dataset]]
plugin = "cvs"
path = "data.csv"
limit = 0
[generate]
plugin = "bean"
"#;
    assert_snapshot!(problems(recipe), @r"
r.toml:3:10: `model.plugin`: there is no model `pythea`
    there are: pythia
r.toml:6:10: `dataset.0.plugin`: there is no dataset `cvs`
    there are: csv
r.toml:8:9: `dataset.0.limit`: must be at least 1, but is 0
r.toml:10:10: `generate.plugin`: there is no decoder `bean`
    there are: greedy, beam
");
}

#[test]
fn what_a_plugin_says_is_told_at_the_option_that_it_names() {
    assert_snapshot!(problems(&format!("{GOOD}\n[adapter]\nr = 4\nalpha = -1\n")), @"r.toml:12:9: `adapter.alpha`: lora: `alpha` must not be negative");
    let scratch =
        "[model]\nplugin = 'pythia'\n[model.config]\nhidden_size = 'big'\n[tokenizer]\npath='tokenizer.json'\n";
    assert_snapshot!(problems(scratch), @r#"r.toml:4:15: `model.config.hidden_size`: expected an integer, found the string "big""#);
    let scratch = scratch.replace("hidden_size = 'big'", "hidden_sise = 8");
    assert_snapshot!(problems(&scratch), @r"
r.toml:4:1: `model.config.hidden_sise`: unknown key
    did you mean `hidden_size`? A configuration of `pythia` has: hidden_size
");
}

#[test]
fn missing_files() {
    let recipe = r#"
[model]
plugin = "pythia"
weights = "EleutherAI/pythia-70m"
[tokenizer]
path = "base"
[[dataset]]
plugin = "csv"
path = "dta.csv"
[[dataset]]
plugin = "csv"
path = "nowhere/corpus.csv"
source = { kind = "folder", path = "gone" }
[adapter]
init_from = "data.csv"
"#;
    assert_snapshot!(problems(recipe), @r"
r.toml:6:8: `tokenizer.path`: there is no tokenizer.json in base; expected a tokenizer's folder
r.toml:9:8: `dataset.0.path`: there is no file or folder dta.csv
    did you mean data.csv?
r.toml:12:8: `dataset.1.path`: there is no file or folder nowhere/corpus.csv
    there is no folder nowhere either; paths start from the recipe's folder
r.toml:13:36: `dataset.1.source.path`: there is no file or folder gone
    paths start from the recipe's folder
r.toml:15:13: `adapter.init_from`: data.csv is a file; expected a PEFT adapter folder, with adapter_config.json in it
");
}

/// Ids on the hub stay what they are; a folder goes before an id, and a misspelled one is not taken for an id.
#[test]
fn ids_on_the_hub() {
    let weights = |id: &str| Folder::new(&GOOD.replace("\"base\"", &format!("{id:?}")));
    for (given, kept) in [("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"), ("hf://base/x@v1", "base/x@v1")] {
        assert_eq!(weights(given).load(&[]).unwrap().model.weights.unwrap().to_str(), Some(kept));
    }
    let folder = weights("Qwen/Qwen3-0.6B");
    folder.write("Qwen/Qwen3-0.6B/config.json", "{}");
    assert!(is_below(&folder.load(&[]).unwrap().model.weights.unwrap(), &folder));
    assert_snapshot!(weights("base/pythia").problems(&[]), @r"
    r.toml:4:11: `model.weights`: there is no file or folder base/pythia
        paths start from the recipe's folder; the one on the hub is hf://base/pythia
    ");
    assert_snapshot!(weights("hf://gpt2").problems(&[]), @"r.toml:4:11: `model.weights`: expected hf://owner/name, or hf://owner/name@revision");
    assert_snapshot!(weights("gpt2").problems(&[]), @r"
    r.toml:4:11: `model.weights`: there is no file or folder gpt2
        paths start from the recipe's folder; ids on the hub are owner/name
    ");
}

#[test]
fn missing_keys() {
    assert_snapshot!(problems("[[dataset]]\nplugin = 'csv'\n[[dataset]]\npath = 'data.csv'\n[tokenizer.train]\n"), @r#"
r.toml:1:1: `model`: missing; expected a table
    The base model: trained weights, or a configuration to start from scratch.
r.toml:1:1: `dataset.0.path`: missing; expected a path
    The file.
r.toml:3:1: `dataset.1.plugin`: missing; expected a string
    The dataset's plugin.
r.toml:5:1: `tokenizer.train.kind`: missing; expected "byte-level-bpe", "wordpiece", "unigram" or "character"
    The kind of tokenizer.
r.toml:5:1: `tokenizer.train.vocab_size`: missing; expected an integer
    Maximum number of tokens, including special tokens.
"#);
}

#[test]
fn alternatives_of_a_table_are_told_apart_by_their_tag() {
    let with = |source| problems(&format!("{GOOD}source = {source}\n"));
    assert_snapshot!(with("{ kind = 'table', nam = 'x' }"), @r"
r.toml:9:28: `dataset.0.source.nam`: unknown key
    did you mean `name`? `dataset.0.source` has: kind, name
");
    assert_snapshot!(with("{ kind = 'tabel', name = 'x' }"), @r#"
r.toml:9:19: `dataset.0.source.kind`: expected "folder" or "table", found "tabel"
    did you mean "table"?
"#);
}

#[test]
fn contradictions() {
    let recipe = r#"
[model]
plugin = "pythia"
weights = "base"
config = { hidden_size = 8 }
[tokenizer]
path = "tokenizer.json"
train = { kind = "byte-level-bpe", vocab_size = 512 }
[train]
load_best = true
early_stopping = { patience = 2 }
"#;
    assert_snapshot!(problems(recipe), @r#"
r.toml:5:10: `model.config`: there are `weights` too, which have a configuration of their own
    keep `weights` to start from a trained model, or `config` to start from scratch
r.toml:8:9: `tokenizer.train`: there is a `path` too
    keep `path` to use a tokenizer, or `train` to train one
r.toml:10:13: `train.load_best`: there is no validation data to compare by
    [validation] fraction = 0.1, or a [[dataset]] with split = "validation"
r.toml:11:18: `train.early_stopping`: there is no validation data to compare by
    [validation] fraction = 0.1, or a [[dataset]] with split = "validation"
"#);
    assert_snapshot!(problems("[model]\nplugin = 'pythia'\n"), @r#"
r.toml:1:1: `model`: has neither `weights` nor `config`
    weights = "<folder>" starts from a trained model, config = "config.json" from scratch
"#);
    assert_snapshot!(problems("[model]\nplugin = 'pythia'\nconfig = {}\n"), @r#"
r.toml:3:10: `tokenizer`: a model from scratch needs a tokenizer
    [tokenizer] path = "<folder>", or train = { kind = "byte-level-bpe", vocab_size = 4096 }
"#);
    let recipe = "[model]\nplugin = 'pythia'\nweights = 'base'\n[tokenizer]\ntrain = { kind = 'byte-level-bpe', vocab_size = 9 }";
    assert_snapshot!(problems(recipe), @r"
r.toml:5:9: `tokenizer.train`: a new tokenizer would give the weights' tokens other meanings
    train one only with `model.config`; the weights bring their own
");
}

#[test]
fn syntax() {
    assert_snapshot!(problems("a = \nb = True\n[train\nx = 1\n"), @r"
r.toml:1:5: expected a value: a string in quotation marks, a number, true, false, [a list] or {a table}
r.toml:2:5: expected a value: a string in quotation marks, a number, true, false, [a list] or {a table}
r.toml:3:7: not valid TOML: unclosed table, expected `]`
");
    assert_snapshot!(problems("seed = 1\nseed = 2\nname = \"abc\nlearning rate = 1\nx = 99999999999999999999\n"), @r#"
r.toml:2:1: `seed` is given twice
    remove one of the two
r.toml:3:12: not valid TOML: invalid basic string, expected `"`
r.toml:4:10: expected `=` and a value after the key
    a key is one word
"#);
}

#[test]
fn numbers_without_a_meaning() {
    assert_snapshot!(problems("seed = 99999999999999999999"), @"r.toml:1:8: the integer is too large");
    let config = "[model]\nplugin = 'pythia'\nconfig = { x = nan, y = 2024-01-01 }\n[tokenizer]\npath = 'data.csv'";
    assert_snapshot!(problems(config), @r"
r.toml:3:12: `model.config.x`: unknown key
    A configuration of `pythia` has: hidden_size
r.toml:3:16: `model.config.x`: must be a finite number, but is NaN
r.toml:3:25: `model.config.y`: expected a value, found the date 2024-01-01
");
}

#[test]
fn a_recipe_that_is_not_there() {
    let folder = Folder::new(GOOD);
    std::fs::rename(folder.path("r.toml"), folder.path("qlora.toml")).unwrap();
    let error = super::parse(&folder.path("qlra.toml"), &[]).unwrap_err().to_string();
    assert_snapshot!(error.replace(&format!("{}/", folder.0.path().display()), ""), @r"
there is no recipe qlra.toml
    did you mean qlora.toml?
");
}

#[test]
fn training_needs_data() {
    let mut recipe = super::good();
    recipe.check_trainable().unwrap();
    recipe.dataset[0].split = crate::Split::Validation;
    assert_snapshot!(recipe.check_trainable().unwrap_err(), @r#"
`dataset`: there is nothing to train on: every dataset has split = "validation"
    add a [[dataset]]; `framework list-plugins --kind dataset` lists the kinds
"#);
}

#[test]
fn keys_of_other_objectives() {
    let with = |objective: &str, rest: &str| problems(&format!("{GOOD}\n[objective]\n{objective}\n{rest}"));
    assert_snapshot!(with("name = \"dpo\"\nteacher = \"base\"\nlos = \"ipo\"\ntemperature = 2.0", ""), @r#"
r.toml:12:1: `objective.teacher`: the objective "dpo" does not read it; it is for "distillation"
    "dpo" reads `loss`, `beta`, `label_smoothing`, `length_normalized`, `sft_weight`, `reference`
r.toml:13:1: `objective.los`: unknown key
    did you mean `loss`?
r.toml:14:1: `objective.temperature`: the objective "dpo" does not read it; it is for "distillation"
    "dpo" reads `loss`, `beta`, `label_smoothing`, `length_normalized`, `sft_weight`, `reference`
"#);
    assert_snapshot!(with("name = \"distillation\"\nalpha = 0.3", ""), @r#"
r.toml:10:1: `objective`: the objective "distillation" needs a `teacher`
    teacher = "<model folder, run or id on the hub>", or "base" for the model without its adapter
"#);
    assert_snapshot!(with("name = \"distillation\"\nteacher = \"base\"\ndivergence = \"reverse\"\ntop_k = 8\nbeta = 0.2", ""), @r#"
r.toml:14:9: `objective.top_k`: only `divergence = "forward"` is computed from the likeliest tokens
    leave one out
r.toml:15:8: `objective.beta`: only `divergence = "jensen-shannon"` has it
    leave it out, or choose that
"#);
    assert_snapshot!(with("name = \"dpo\"\nloss = \"ipo\"\nlabel_smoothing = 0.1\nlength_normalized = true", ""), @r#"
r.toml:13:19: `objective.label_smoothing`: only `loss = "sigmoid"` and `"robust"` have it
    leave it out, or choose one of those
r.toml:14:21: `objective.length_normalized`: `ipo` always uses means over tokens
    leave it out
"#);
    assert_snapshot!(with("loss = \"ipo\"", ""), @r#"
r.toml:11:1: `objective.loss`: the objective "sft" does not read it; it is for "dpo"
    "sft" reads `label_smoothing`, `z_loss`, `row_weight`
"#);
}
