//! Names that other tools give to settings, for hints: transformers' `TrainingArguments`, peft's `LoraConfig`, TRL's
//! `SFTConfig`, LLaMA-Factory and axolotl.
//!
//! These names are not accepted: a recipe has one spelling for each setting. The hint says which.

use super::component::FAMILIES;

/// A setting under the names that other tools give it.
pub(super) struct Alias {
    /// Its names elsewhere, in lower case with underscores.
    pub(super) names: &'static [&'static str],
    /// The key here, e.g. `train.batch_size`, or a table in brackets; empty: there is none.
    pub(super) target: &'static str,
    /// How the value is written, where that differs; without a key, what to do instead.
    pub(super) note: &'static str,
}

macro_rules! aliases {
    ($($($name:literal)|+ => $target:literal $(, $note:literal)?;)*) => {
        [$(Alias { names: &[$($name),+], target: $target, note: concat!($($note)?) }),*]
    };
}

/// All of them.
pub(super) static ALIASES: &[Alias] = &aliases![
    // the adapter
    "lora_r" | "lora_rank" | "rank" => "adapter.r";
    "lora_alpha" => "adapter.alpha";
    "lora_dropout" => "adapter.dropout";
    "target_modules" | "lora_target" | "lora_target_modules" => "adapter.targets", "targets = [\"q_proj\", \"v_proj\"] or \"all-linear\"";
    "lora_target_linear" => "adapter.targets", "targets = \"all-linear\"";
    "layers_to_transform" | "lora_layers_to_transform" | "peft_layers_to_transform" => "adapter.layers";
    "use_rslora" | "rslora" | "peft_use_rslora" => "adapter.rank_stabilised";
    "lora_bias" => "adapter.lora_bias";
    "adapter_name_or_path" | "lora_model_dir" | "peft_model_id" => "adapter.init_from";
    "finetuning_type" | "peft_type" | "use_peft" | "use_lora" | "tuner_type" => "adapter.plugin", "plugin = \"lora\", or \"full\" to train all weights";
    "lora" | "lora_config" | "peft" | "peft_config" => "[adapter]";
    "load_in_4bit" | "load_in_8bit" | "quantization_bit" | "quantization_config" | "bnb_4bit_compute_dtype" | "bnb_4bit_quant_type" | "use_qlora" => "backend.frozen", "frozen = \"nf4\", \"fp4\" or \"int8\"; or adapter.plugin = \"qlora\", which is LoRA over nf4";
    // the loop
    "per_device_train_batch_size" | "per_gpu_train_batch_size" | "micro_batch_size" | "train_batch_size" | "per_device_batch_size" => "train.batch_size";
    "per_device_eval_batch_size" | "eval_batch_size" => "train.batch_size", "evaluation uses the same batch size";
    "gradient_accumulation_steps" | "grad_accum" | "accumulate_grad_batches" => "train.gradient_accumulation";
    "num_train_epochs" | "num_epochs" | "n_epochs" | "max_epochs" => "train.epochs";
    "num_training_steps" | "max_train_steps" | "total_steps" | "num_steps" | "iters" => "train.max_steps";
    "lr_scheduler_type" | "lr_scheduler" | "scheduler" | "scheduler_type" | "lr_schedule" => "train.schedule", "schedule = \"linear\", \"cosine\", \"cosine-restarts\", \"polynomial\", \"inverse-sqrt\" or \"constant\"";
    "lr_scheduler_kwargs" => "train.schedule_end", "beside it, `schedule_power`, `schedule_cycles` and `schedule_timescale`";
    "lr_end" | "min_lr" | "cosine_min_lr" | "lr_min" => "train.schedule_end";
    "num_cycles" => "train.schedule_cycles";
    "num_warmup_steps" | "warmup" | "warmup_iters" => "train.warmup_steps";
    "gradient_clipping" | "clip_grad_norm" | "gradient_clip_val" | "grad_clip" | "max_norm" => "train.max_grad_norm";
    "gradient_checkpointing" | "use_gradient_checkpointing" | "grad_checkpoint" => "train.activation_checkpointing";
    "sample_packing" | "neat_packing" | "multipack" => "train.packing";
    "length_grouped" | "group_texts_by_length" | "length_column_name" => "train.group_by_length";
    "logging_steps" | "log_steps" | "logging_first_step" | "log_interval" | "logging_strategy" => "train.log_every", "log_every = 10";
    "eval_steps" | "evaluation_steps" | "eval_interval" | "val_check_interval" => "train.eval_every", "eval_every = 100, or 0.1 for each tenth of the run";
    "eval_strategy" | "evaluation_strategy" | "evals_per_epoch" | "do_eval" => "train.eval_every", "eval_every = \"epoch\", \"end\", a number of steps or a share of the run";
    "save_steps" | "save_interval" | "checkpoint_every" => "train.save_every", "save_every = 100";
    "save_strategy" | "saves_per_epoch" => "train.save_every", "save_every = \"epoch\", \"end\", a number of steps or a share of the run";
    "save_total_limit" => "train.keep_checkpoints";
    "load_best_model_at_end" => "train.load_best";
    "metric_for_best_model" => "train.metric", "metric = \"loss\", \"perplexity\" or \"accuracy\"";
    "greater_is_better" => "train.metric", "a metric says itself whether higher is better";
    "early_stopping_patience" => "train.early_stopping", "early_stopping = { patience = 3 }";
    "early_stopping_threshold" => "train.early_stopping", "early_stopping = { patience = 3, min_delta = 0.01 }";
    "freeze_layers" | "frozen_parameters" | "freeze_trainable_layers" | "freeze_extra_modules" => "train.freeze", "freeze = [\"embed_tokens\"]";
    "unfrozen_parameters" => "train.freeze", "it names what is not trained";
    "neftune_noise_alpha" | "neftune" | "noisy_embedding_alpha" => "train.neftune_alpha";
    "dataloader_shuffle" | "disable_shuffling" | "shuffle_dataset" => "train.shuffle";
    "training" | "trainer" | "training_args" | "training_arguments" | "sft_config" | "hyperparameters" => "[train]";
    // the optimizer
    "lr" | "base_lr" => "optimizer.learning_rate";
    "optim" | "optimizer_name" | "optimizer_type" => "optimizer.plugin", "plugin = \"adamw\", \"adamw-8bit\", \"adafactor\", \"lion\", \"muon\" or \"sgd\"";
    "adam_beta1" | "adam_beta2" | "beta1" | "beta2" | "adam_betas" => "optimizer.betas", "betas = [0.9, 0.999]";
    "adam_epsilon" | "eps" | "adam_eps" => "optimizer.epsilon";
    "wd" => "optimizer.weight_decay";
    // numbers
    "bf16" | "fp16" | "half" | "torch_dtype" | "dtype" | "compute_dtype" | "mixed_precision" | "pure_bf16" => "backend.precision", "precision = \"f32\", \"high\", \"bf16\" or \"f16\"; `train.save_dtype` sets the format of what is saved, `backend.frozen` that of weights that are not trained";
    "use_cpu" | "no_cuda" | "device_map" | "accelerator" => "backend.name", "name = \"cpu\", \"wgpu\" or \"cuda\"";
    "tf32" => "backend.precision", "precision = \"tf32\"";
    "flash_attn" | "flash_attention" | "attn_implementation" | "use_flash_attention_2" | "use_flash_attn" | "xformers" | "torch_compile" | "use_liger_kernel" | "use_cache" | "low_cpu_mem_usage" => "", "there is nothing to set here: leave the key out";
    "deepspeed" | "fsdp" | "fsdp_config" | "ddp_timeout" | "ddp_find_unused_parameters" | "local_rank" | "num_gpus" => "", "a run uses one device: leave the key out";
    "dataloader_num_workers" | "preprocessing_num_workers" | "dataset_num_proc" | "num_proc" | "dataset_processes" | "dataloader_pin_memory" => "", "all processor cores are used: leave the key out";
    "report_to" | "logging_dir" | "use_tensorboard" => "report.tensorboard", "tensorboard = true, which is the default, writes event files into the run's folder; nothing is sent to other services";
    "wandb_project" | "run_name_prefix" | "use_wandb" | "plot_loss" | "wandb_entity" => "", "metrics are written to metrics.jsonl, train.log and tensorboard/ in the run's folder: leave the key out";
    "push_to_hub" | "hub_model_id" | "hub_strategy" | "hub_token" => "", "a run is not uploaded; the folders `adapter` and `model` of a run are in the form that the hub takes";
    "resume_from_checkpoint" | "auto_resume_from_checkpoints" => "", "use `framework train RECIPE --resume`";
    "compute_metrics" | "predict_with_generate" | "eval_metrics" | "generation_metrics" => "report.metrics", "metrics = [\"bleu\", \"rouge-l\"]";
    "do_train" | "do_predict" | "stage" => "", "the command says what is done: `framework train`, `eval` or `generate`; leave the key out";
    "trust_remote_code" => "", "no code of a model's folder is run: leave the key out";
    "label_smoothing_factor" | "label_smoothing" => "", "label smoothing is not supported: leave the key out";
    "remove_unused_columns" | "pad_to_sequence_len" | "pad_to_max_length" | "pad_to_multiple_of" | "data_collator" | "dataset_kwargs" => "", "batches are padded to their longest sequence: leave the key out";
    "use_dora" | "init_lora_weights" | "loftq_config" | "task_type" | "inference_mode" | "fan_in_fan_out" => "", "of peft's settings, `framework describe lora` lists those that there are: leave the key out";
    // the model and its tokenizer
    "model_name_or_path" | "base_model" | "base_model_name_or_path" | "model_name" | "model_id" | "model_path" | "pretrained_model_name_or_path" | "pretrained" => "model.weights", "a folder or an id on the hub; `plugin` names the architecture";
    "model_type" | "architecture" | "architectures" | "base_model_config" => "model.plugin", "`framework list-plugins --kind model` lists the architectures";
    "tokenizer_name" | "tokenizer_name_or_path" | "tokenizer_path" | "tokenizer_config" | "processor_name_or_path" => "tokenizer.path";
    "vocab_size" => "tokenizer.train", "train = { kind = \"byte-level-bpe\", vocab_size = 4096 } trains a tokenizer of that size";
    // the data
    "datasets" | "train_dataset" | "dataset_path" | "dataset_name" | "dataset_dir" | "train_file" | "data_path" | "train_data" | "data_files" | "file_name" => "dataset.path", "`framework list-plugins --kind dataset` lists the formats";
    "eval_dataset" | "validation_file" | "test_datasets" | "valid_data" | "dataset_test" => "dataset.split", "a second [[dataset]] with split = \"validation\"";
    "val_size" | "val_set_size" | "validation_split" | "test_size" | "validation_split_percentage" | "eval_size" | "validation_fraction" => "validation.fraction", "from 0 to below 1";
    "max_samples" | "max_train_samples" | "num_samples" | "sample" => "dataset.limit";
    "max_seq_length" | "max_seq_len" | "cutoff_len" | "sequence_len" | "seq_length" | "block_size" | "model_max_length" | "context_length" | "seq_len" => "prompt.max_length";
    "chat_template" | "prompt_template" | "prompt_style" | "conversation_template" => "prompt.template", "\"chat\" is the tokenizer's own, \"chatml\" and others are built in, or a Jinja template";
    "system_prompt" | "default_system" | "system_message" => "prompt.system";
    "mask_history" => "prompt.turns", "turns = \"last\"";
    "train_on_inputs" | "train_on_source" => "prompt.train_on_prompt";
    "train_on_responses_only" | "completion_only_loss" | "assistant_only_loss" | "mask_inputs" => "prompt.train_on_prompt", "train_on_prompt = false is the default";
    "dataset_text_field" | "text_column" | "text_field" => "dataset.plugin", "the plugin's options name the fields: `framework describe PLUGIN`";
    "overwrite_cache" | "dataset_prepared_path" | "preprocessing_cache" => "data.cache", "true or false";
    "special_tokens" | "additional_special_tokens" => "tokenizer.train", "`special_tokens` is a key of a tokenizer that is trained";
    // the run
    "output_dir" | "save_dir" | "out_dir" | "output_path" => "output";
    "overwrite_output_dir" => "", "an earlier run in the same folder is renamed, not overwritten: leave the key out";
    "run_name" | "experiment_name" | "exp_name" => "name";
    "random_seed" | "data_seed" | "seed_everything" | "torch_seed" => "seed";
    // generation
    "do_sample" => "generate.plugin", "plugin = \"top-p\" samples, \"greedy\" does not";
    "num_beams" | "beam_size" | "length_penalty" => "generate.plugin", "plugin = \"beam\" searches with beams";
    "max_tokens" | "max_completion_tokens" | "max_gen_len" | "num_predict" => "generate.max_new_tokens";
    "min_tokens" => "generate.min_new_tokens";
    "min_length" => "generate.min_new_tokens", "counted without the prompt";
    "repeat_penalty" => "generate.repetition_penalty";
    "stop_strings" | "stop_words" | "stop_sequences" => "generate.stop", "stop = [\"\\n\\n\"]";
    "generation" | "generation_config" | "sampling" | "inference" => "[generate]";
];

impl Alias {
    /// The setting that other tools call `name`.
    pub(super) fn of(name: &str) -> Option<&'static Alias> {
        let name = name.to_lowercase().replace('-', "_");
        ALIASES.iter().find(|alias| alias.names.contains(&name.as_str()))
    }

    /// The table and the key; the table is empty for keys of the recipe itself.
    pub(super) fn place(&self) -> (&'static str, &'static str) {
        self.target.split_once('.').unwrap_or(("", self.target))
    }

    /// The hint for a key in `table`, e.g. `dataset.0`; for `--set`, with the whole path.
    pub(super) fn hint(&self, table: &str, set: bool) -> String {
        let (home, key) = self.place();
        let list = FAMILIES.iter().any(|family| family.key == home && family.list);
        let here = match home {
            "" if self.target.is_empty() => return self.note.to_owned(),
            "" if key.starts_with('[') => format!("the table for this is `{key}`"),
            _ if home == table || list && table.starts_with(home) => format!("here the key is `{key}`"),
            "" if set => format!("here the key is `{key}`"),
            "" => format!("here the key is `{key}`, outside of any table"),
            _ if set && list => format!("here the key is `{home}.0.{key}`"),
            _ if set => format!("here the key is `{home}.{key}`"),
            _ if list => format!("here the key is `{key}` in `[[{home}]]`"),
            _ => format!("here the key is `{key}` in `[{home}]`"),
        };
        if self.note.is_empty() { here } else { format!("{here}: {}", self.note) }
    }
}

/// Each name of another tool with the key that its hint points to, e.g. `lora_alpha` and `adapter.alpha`; for tests.
pub fn foreign_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES.iter().flat_map(|alias| alias.names.iter().map(|name| (*name, alias.target)))
}
