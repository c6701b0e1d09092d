//! Hints for names of other tools point to keys that exist.

use crate::setting::Setting;
use framework_engine::recipe::{Recipe, foreign_names, reference};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_hint_names_a_key_that_there_is() {
    let setting = Setting::new();
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in reference::tables() {
        keys.entry(table.name).or_default().extend(table.keys.into_iter().map(|row| row.key));
    }
    // Of each family, the plugin that a recipe has by default, or one that has what most of them have.
    for (table, plugin) in [("adapter", "lora"), ("optimizer", "adamw"), ("dataset", "jsonl")] {
        let about = setting.run(["describe", plugin, "--format", "json"]).json();
        let options = about["schema"]["properties"].as_object().unwrap().keys().cloned();
        keys.entry(table.into()).or_default().extend(options);
    }
    let schema = framework_core::schema_of::<Recipe>();
    keys.insert(String::new(), schema["properties"].as_object().unwrap().keys().cloned().collect());
    let mut names = BTreeSet::new();
    for (name, target) in foreign_names() {
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        let table = target.trim_matches(['[', ']']);
        let (table, key) = table.split_once('.').unwrap_or(("", table));
        assert!(target.is_empty() || keys[table].contains(key), "{name}: there is no {target}");
    }
    assert!(names.len() > 200, "{}", names.len());
}

/// The keys of a configuration of each of the tools, as their documentation has them.
#[test]
fn whole_configurations_of_other_tools_get_a_hint_for_each_key() {
    let setting = Setting::new();
    let llama_factory = "model_name_or_path finetuning_type lora_rank lora_target cutoff_len max_samples output_dir \
        logging_steps save_steps plot_loss overwrite_output_dir per_device_train_batch_size bf16 ddp_timeout val_size \
        gradient_accumulation_steps num_train_epochs lr_scheduler_type eval_strategy eval_steps overwrite_cache \
        preprocessing_num_workers stage do_train trust_remote_code quantization_bit";
    let axolotl = "base_model load_in_8bit load_in_4bit val_set_size sequence_len sample_packing lora_r lora_alpha \
        lora_dropout lora_target_modules lora_target_linear micro_batch_size num_epochs lr_scheduler train_on_inputs \
        tf32 gradient_checkpointing early_stopping_patience resume_from_checkpoint flash_attention deepspeed fsdp \
        saves_per_epoch evals_per_epoch wandb_project hub_model_id pad_to_sequence_len datasets dataset_prepared_path";
    let trl = "max_seq_length dataset_text_field neftune_noise_alpha target_modules optim adam_beta1 adam_beta2 fp16 \
        adam_epsilon save_total_limit load_best_model_at_end report_to use_rslora chat_template logging_dir run_name \
        per_device_eval_batch_size save_strategy push_to_hub dataloader_num_workers";
    for name in [llama_factory, axolotl, trl].iter().flat_map(|names| names.split_whitespace()) {
        assert!(foreign_names().any(|(foreign, _)| foreign == name), "{name} has no hint");
    }
    let sets = ["lora_alpha=32", "num_train_epochs=3", "bf16=true", "train.save_steps=5", "report_to=wandb"];
    let args: Vec<_> = sets.iter().flat_map(|set| ["--set", set]).collect();
    insta::assert_snapshot!(setting.run([&["check", "recipe.toml"], &args[..]].concat()).failed(2), @r#"
error: --set lora_alpha=32: `lora_alpha`: unknown key
    here the key is `adapter.alpha`
--set num_train_epochs=3: `num_train_epochs`: unknown key
    here the key is `train.epochs`
--set bf16=true: `bf16`: unknown key
    here the key is `backend.precision`: precision = "f32", "high", "bf16" or "f16"; `train.save_dtype` sets the format of what is saved, `backend.frozen` that of weights that are not trained
--set train.save_steps=5: `train.save_steps`: unknown key
    here the key is `save_every`: save_every = 100
--set report_to=wandb: `report_to`: unknown key
    here the key is `report.tensorboard`: tensorboard = true, which is the default, writes event files into the run's folder; nothing is sent to other services
"#);
}

#[test]
fn settings_without_effect_are_named_before_any_work() {
    let without_effect = [
        ("[model]", "[backend]\nfrozen = \"stored\"\n\n[model]"),
        ("max_length = 64", "max_length = 64\ndate = \"2026-01-31\"\nvariables = { enable_thinking = false }"),
        ("plugin = \"lora\"\nr = 8\nalpha = 16\ntargets = \"all-linear\"", "plugin = \"full\""),
        ("save_every = 30", "save_every = 30\nshuffle = false\ngroup_by_length = true"),
    ];
    let setting = Setting::with(&without_effect);
    for command in ["check", "train"] {
        let said = setting.run([command, "recipe.toml", "--set", "train.max_steps=1"]).succeeded().err;
        for part in [
            "recipe.toml:5:10: `backend.frozen` has no effect: every weight is trained",
            "`prompt.date` has no effect: the template does not ask for the day",
            "`prompt.variables.enable_thinking` has no effect: the template does not read `enable_thinking`",
            "`train.shuffle` has no effect: `train.group_by_length` decides the order of the examples",
        ] {
            assert!(said.contains(part), "{command}: no {part} in\n{said}");
        }
    }
    let said = Setting::new().run(["check", "recipe.toml"]).succeeded().err;
    assert!(!said.contains("no effect"), "{said}");
    // The filled recipe of a run writes out the defaults, which nobody has set.
    let setting = Setting::with(&[
        ("save_every = 30", "save_every = \"end\"\ngroup_by_length = true"),
        ("template = \"plain\"", "template = \"{{ instruction }} {{ output }}\""),
    ]);
    setting.run(["train", "recipe.toml", "--set", "train.max_steps=1"]).succeeded();
    let commands = [
        &["generate", "runs/colours", "grey"][..],
        &["eval", "runs/colours", "--text", "data.csv"],
        &["check", "runs/colours/recipe.toml"],
    ];
    for args in commands {
        let said = setting.run(args).succeeded().err;
        assert!(!said.contains("no effect"), "{args:?}: {said}");
    }
}
