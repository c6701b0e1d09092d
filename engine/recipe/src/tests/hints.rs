//! Hints for keys that other tools use.

use super::{Folder, GOOD, problems};
use insta::assert_snapshot;

#[test]
fn names_of_transformers_and_peft() {
    let recipe = format!(
        r#"
num_train_epochs = 3
output_dir = "out"
lora = {{ r = 8 }}
{GOOD}
max_samples = 10
[train]
per_device_train_batch_size = 4
gradient_accumulation_steps = 2
lr_scheduler_type = "cosine"
save_steps = 500
early_stopping_patience = 3
bf16 = true
flash_attn = "fa2"
lora_alpha = 16
max_seq_length = 1024
nonsense = 1
rubbish = 2
[adapter]
lora_alpha = 32
target_modules = ["q_proj"]
lora_dropout = 0.1
whatever = 3
[optimizer]
optim = "adamw_torch"
adam_beta1 = 0.9
"#
    );
    assert_snapshot!(problems(&recipe), @r#"
r.toml:2:1: `num_train_epochs`: unknown key
    here the key is `epochs` in `[train]`
r.toml:3:1: `output_dir`: unknown key
    here the key is `output`
r.toml:4:1: `lora`: unknown key
    the table for this is `[adapter]`
r.toml:14:1: `dataset.0.max_samples`: unknown key
    here the key is `limit`
r.toml:16:1: `train.per_device_train_batch_size`: unknown key
    here the key is `batch_size`
r.toml:17:1: `train.gradient_accumulation_steps`: unknown key
    here the key is `gradient_accumulation`
r.toml:18:1: `train.lr_scheduler_type`: unknown key
    here the key is `schedule`: schedule = "linear", "cosine", "cosine-restarts", "polynomial", "inverse-sqrt" or "constant"
r.toml:19:1: `train.save_steps`: unknown key
    here the key is `save_every`: save_every = 100
r.toml:20:1: `train.early_stopping_patience`: unknown key
    here the key is `early_stopping`: early_stopping = { patience = 3 }
r.toml:21:1: `train.bf16`: unknown key
    here the key is `precision` in `[backend]`: precision = "f32", "high", "bf16" or "f16"; `train.save_dtype` sets the format of what is saved, `backend.frozen` that of weights that are not trained
r.toml:22:1: `train.flash_attn`: unknown key
    there is nothing to set here: leave the key out
r.toml:23:1: `train.lora_alpha`: unknown key
    here the key is `alpha` in `[adapter]`
r.toml:24:1: `train.max_seq_length`: unknown key
    here the key is `max_length` in `[prompt]`
r.toml:25:1: `train.nonsense`: unknown key
    `train` has: epochs, max_steps, batch_size, gradient_accumulation, schedule, schedule_power, schedule_end, schedule_cycles, schedule_timescale, warmup_steps, warmup_ratio, max_grad_norm, shuffle, group_by_length, packing, activation_checkpointing, neftune_alpha, freeze, log_every, eval_every, save_every, keep_checkpoints, metric, load_best, save_dtype, early_stopping
r.toml:26:1: `train.rubbish`: unknown key
r.toml:28:1: `adapter.lora_alpha`: unknown key
    here the key is `alpha`
r.toml:29:1: `adapter.target_modules`: unknown key
    here the key is `targets`: targets = ["q_proj", "v_proj"] or "all-linear"
r.toml:30:1: `adapter.lora_dropout`: unknown key
    `adapter` with the plugin `lora` has: plugin, init_from, r, alpha, targets, quant
r.toml:31:1: `adapter.whatever`: unknown key
r.toml:33:1: `optimizer.optim`: unknown key
    here the key is `plugin`: plugin = "adamw", "adamw-8bit", "adafactor", "lion", "muon" or "sgd"
r.toml:34:1: `optimizer.adam_beta1`: unknown key
    `optimizer` with the plugin `adamw` has: plugin, learning_rate, weight_decay
"#);
}

#[test]
fn with_set_the_whole_path_is_named() {
    let sets = ["learning_rate=1e-4", "num_train_epochs=3", "lora_alpha=32", "eval_steps=50", "output_dir=x", "wd=0.1"];
    let dataset = ["dataset_path=data.csv", "dataset.0.train_file=x", "adapter.lora_r=4"];
    assert_snapshot!(Folder::new(GOOD).problems(&[&sets[..], &dataset[..]].concat()), @r"
--set learning_rate=1e-4: `learning_rate`: unknown key
    `learning_rate` is a key of `[optimizer]`
--set num_train_epochs=3: `num_train_epochs`: unknown key
    here the key is `train.epochs`
--set lora_alpha=32: `lora_alpha`: unknown key
    here the key is `adapter.alpha`
--set eval_steps=50: `eval_steps`: unknown key
    here the key is `train.eval_every`: eval_every = 100, or 0.1 for each tenth of the run
--set output_dir=x: `output_dir`: unknown key
    here the key is `output`
--set wd=0.1: `wd`: unknown key
    here the key is `optimizer.weight_decay`
--set dataset_path=data.csv: `dataset_path`: unknown key
    here the key is `dataset.0.path`: `framework list-plugins --kind dataset` lists the formats
--set dataset.0.train_file=x: `dataset.0.train_file`: unknown key
    here the key is `path`: `framework list-plugins --kind dataset` lists the formats
--set adapter.lora_r=4: `adapter.lora_r`: unknown key
    here the key is `r`
");
}

/// Fewer edits than a third of the letters, and no word that merely happens to be near.
#[test]
fn far_names_are_not_suggested() {
    let recipe = format!("{GOOD}\n[train]\nmomentum = 1\ntf = 1\nsave_everything = 1\nlog_evry = 1\n");
    assert_snapshot!(problems(&recipe), @r"
r.toml:11:1: `train.momentum`: unknown key
    `train` has: epochs, max_steps, batch_size, gradient_accumulation, schedule, schedule_power, schedule_end, schedule_cycles, schedule_timescale, warmup_steps, warmup_ratio, max_grad_norm, shuffle, group_by_length, packing, activation_checkpointing, neftune_alpha, freeze, log_every, eval_every, save_every, keep_checkpoints, metric, load_best, save_dtype, early_stopping
r.toml:12:1: `train.tf`: unknown key
r.toml:13:1: `train.save_everything`: unknown key
r.toml:14:1: `train.log_evry`: unknown key
    did you mean `log_every`?
");
}
