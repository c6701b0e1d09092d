//! The recipe that comes out.

use super::{Fake, Folder, GOOD, good, is_below};
use crate::{parse, parse_text};
use insta::assert_snapshot;

#[test]
fn everything_is_filled_in() {
    let folder = Folder::new(GOOD);
    let recipe = folder.load(&[]).unwrap();
    let text = recipe.to_toml().replace(&folder.0.path().display().to_string(), "<folder>");
    assert_snapshot!(text, @r#"
name = "r"
seed = 42
output = "runs/r"
plugins = []
augment = []

[backend]
name = "cpu"
device = 0
precision = "f32"
double_quant = true

[model]
plugin = "pythia"
weights = "<folder>/base"

[tokenizer]

[[dataset]]
plugin = "csv"
split = "train"
weight = 1.0
path = "<folder>/data.csv"
delimiter = ","

[prompt]
template = "alpaca"
turns = "all"
max_length = 512
train_on_prompt = false

[validation]
fraction = 0.0

[data]
cache = true
bad_rows = "error"

[adapter]
plugin = "lora"
r = 8
alpha = 16.0
targets = ["q_proj"]

[objective]
name = "sft"

[optimizer]
plugin = "adamw"
learning_rate = 0.0001
weight_decay = 0.01

[train]
epochs = 1.0
batch_size = 8
gradient_accumulation = 1
schedule = "linear"
warmup_steps = 0
max_grad_norm = 1.0
shuffle = true
group_by_length = false
packing = false
activation_checkpointing = false
log_every = 10
eval_every = "epoch"
save_every = "epoch"
keep_checkpoints = 2
metric = "loss"
load_best = false
save_dtype = "f32"

[generate]
plugin = "greedy"
prompts = []
max_new_tokens = 128
max_length = 0
min_new_tokens = 0
temperature = 1.0
top_k = 0
top_p = 1.0
min_p = 0.0
repetition_penalty = 1.0
no_repeat_ngram_size = 0
stop = []
verse = false

[report]
tensorboard = true
html = true
metrics = []
metric_examples = 64
segmentation = "auto"
"#);
}

#[test]
fn paths_are_absolute_and_start_from_the_recipe() {
    let folder = Folder::new(GOOD);
    let recipe = folder.load(&[]).unwrap();
    assert!(is_below(recipe.model.weights.as_ref().unwrap(), &folder));
    assert!(is_below(recipe.dataset[0].options["path"].as_str().unwrap().as_ref(), &folder));
    assert_eq!(recipe.output, std::path::Path::new("runs/r"));
}

#[test]
fn a_saved_recipe_is_the_same_recipe() {
    let folder = Folder::new(&format!(
        "{GOOD}
        columns = ['a', 'b']
        [[augment]]
        plugin = 'nothing'
        [prompt]
        template = '''{{{{ instruction }}}}
        \"quoted\" {{{{ response }}}}'''
        [train]
        max_steps = 3
        eval_every = 2
        early_stopping = {{ patience = 2 }}
        [validation]
        fraction = 0.1
        [generate]
        plugin = 'beam'
        prompts = ['Hello?', \"Two\\nlines\"]
        "
    ));
    let recipe = folder.load(&[]).unwrap();
    let saved = parse_text("elsewhere/recipe.toml".as_ref(), recipe.to_toml(), &[]).unwrap();
    assert_eq!(saved.resolve(&Fake).unwrap(), recipe);
}

#[test]
fn a_model_from_scratch() {
    let folder = Folder::new(
        "[model]\nplugin = 'pythia'\nconfig = 'base/config.json'\n[tokenizer]\ntrain = { kind = 'byte-level-bpe', vocab_size = 300 }\n",
    );
    let recipe = folder.load(&[]).unwrap();
    assert!(matches!(&recipe.model.config, Some(crate::ModelConfig::File(f)) if is_below(f, &folder)));
    let saved = parse_text("r.toml".as_ref(), recipe.to_toml(), &[]).unwrap();
    assert_eq!(saved.resolve(&Fake).unwrap(), recipe);
}

#[test]
fn plugins_are_known_before_anything_is_checked() {
    let folder = Folder::new("plugins = ['libacme.so', 'gone.so']\nnonsense = 1\n");
    folder.write("libacme.so", "");
    let parsed = parse(&folder.path("r.toml"), &[]).unwrap();
    let error = parsed.plugins().unwrap_err().to_string();
    assert_snapshot!(error.replace(&format!("{}/", folder.0.path().display()), ""), @r"
r.toml:1:26: `plugins.1`: there is no file or folder gone.so
    paths start from the recipe's folder
");
    folder.write("gone.so", "");
    let paths: Vec<_> = parsed.plugins().unwrap().iter().map(|library| library.path().clone()).collect();
    assert_eq!(paths, [folder.path("libacme.so"), folder.path("gone.so")]);
    let problem = parsed.problem("plugins.1", "was built for another version").to_string();
    assert_snapshot!(problem.replace(&format!("{}/", folder.0.path().display()), ""), @"r.toml:1:26: `plugins.1`: was built for another version");
}

#[test]
fn epochs_default_to_one_unless_steps_are_given() {
    assert_eq!(good().train.epochs, Some(1.0));
    let recipe = Folder::new(GOOD).load(&["train.max_steps=5"]).unwrap();
    assert_eq!((recipe.train.epochs, recipe.train.max_steps), (None, Some(5)));
}
