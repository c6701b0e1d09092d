//! Documentation from types.

use super::Fake;
use crate::{Catalog, reference};
use framework_core::Kind;
use insta::assert_snapshot;

#[test]
fn the_options_of_a_plugin() {
    let about = Fake.about(Kind::Adapter, "lora").unwrap();
    assert_snapshot!(reference::options_markdown(&about), @r#"
| key | takes | default | |
|---|---|---|---|
| `r` | integer, at least 1 | `8` | The rank. |
| `alpha` | number | `16.0` | The scale times the rank. |
| `targets` | string or list of strings | `["q_proj"]` | Which projections: names, or one regular expression. |
| `quant` | "nf4", "fp4" or "int8" |  | Number format. |
"#);
    let about = Fake.about(Kind::Dataset, "csv").unwrap();
    assert_snapshot!(reference::columns(&reference::options(&about)), @r#"
path       path             required  The file. It has a header.
delimiter  string           ","       The character between fields.
columns    list of strings  -         The columns to read.
source     table            -         Where the rest comes from.
"#);
    let about = Fake.about(Kind::Adapter, "full").unwrap();
    assert_snapshot!(reference::columns(&reference::options(&about)), @"no options");
}

#[test]
fn the_recipe_reference() {
    assert_snapshot!(reference::markdown(), @r#"
# The recipe

## Top level

| key | takes | default | |
|---|---|---|---|
| `name` | string |  | Name of the run. Default: the recipe file's name. |
| `seed` | integer | `42` | Seed for everything random: initial weights, order of the data, dropout, sampling. |
| `output` | string |  | The run's folder, relative to the working directory. Default: `runs/<name>`. |
| `plugins` | list | `[]` | Dynamic libraries with plugins, relative to the recipe's folder. `{ path = "…", sha256 = "…" }` opens a library only if it has this hash. |

## `[backend]`

The device that the run computes on.

| key | takes | default | |
|---|---|---|---|
| `name` | "cpu", "wgpu" or "cuda" | `"cpu"` | The backend. `cpu`: The CPU. `wgpu`: Any GPU, through WebGPU. `cuda`: NVIDIA GPUs. |
| `device` | integer | `0` | Index of the device, in the order of `list-plugins --kind backend`, from 0. |
| `precision` | "f32", "tf32", "high", "bf16" or "f16" | `"f32"` | Number format of matrix products. Trained parameters, norms, sums and the loss always have 32 bits. `f32`: 32 bits. `tf32`: 32-bit numbers of which NVIDIA's tensor cores use 19 bits; `cuda` only. `high`: Splits each 32-bit number into the sum of two `bf16` numbers, which keeps 16 bits of its mantissa. On CPUs with AMX, this is two to three times as fast as `f32`. Other devices compute in `f32`. `bf16`: 16 bits with the range of `f32`. A device without `bf16` products computes them in 32 bits; frozen weights take half the memory in any case. `f16`: 16 bits, IEEE half precision. The loss is scaled so that small gradients do not vanish. For a device without `f16` products, the same holds as for `bf16`. |
| `frozen` | "f32", "stored", "bf16", "f16", "int8", "nf4" or "fp4" |  | Number format in which frozen weights, those that are not trained, are kept in memory. Default: what the adapter asks for (`nf4` for `qlora`), otherwise the format of `precision`. `f32`: 32 bits. `stored`: The format of the model's files. 16-bit weights take half the memory. They are converted to 32 bits, exactly, each time they are used, which takes time. `bf16`: 16 bits with the range of `f32`. `f16`: 16 bits, IEEE half precision. `int8`: Projections as 8-bit integers with a scale per row; everything else as `stored`. `nf4`: Projections in 4 bits, as quantiles of a normal distribution, with a scale per block of 64 (QLoRA: Dettmers et al., 2023, arXiv:2305.14314); everything else as `stored`. `fp4`: Projections as 4-bit floating-point numbers, with a scale per block of 64; everything else as `stored`. |
| `double_quant` | boolean | `true` | Quantize the scales of `nf4` and `fp4` as well, to 8 bits. This saves 0.37 bits per weight. |

## `[model]`

The base model: trained weights, or a configuration to start from scratch.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | required | The architecture's plugin, or a `model_type` of transformers that the plugin implements. It may be left out if `weights` is a model folder or an id on the hub, or if `config` names a `model_type`. |
| `weights` | path |  | A Hugging Face model folder (`config.json`, safetensors), relative to the recipe's folder, or an id on the hub: `owner/name`, `owner/name@revision`. |
| `config` | path or table |  | To train from scratch: the model's configuration, as a table or as the path of a `config.json`. |
| `ignore_keys` | list of strings |  | Keys of `config.json` to ignore, at your own risk. Use it for keys that the plugin refuses because it does not know them. |

## `[tokenizer]`

The tokenizer. Default: the one in the weights' folder.

| key | takes | default | |
|---|---|---|---|
| `path` | path |  | A `tokenizer.json`, or a folder with one or with `vocab.txt` or `vocab.json` and `merges.txt`, relative to the recipe's folder, or an id on the hub. |

## `[tokenizer.train]`

Trains a new tokenizer on the recipe's datasets instead of loading one.

| key | takes | default | |
|---|---|---|---|
| `kind` | "byte-level-bpe", "wordpiece", "unigram" or "character" | required | The kind of tokenizer. `byte-level-bpe`: Byte-pair encoding on bytes, as in GPT-2 (Sennrich et al., 2016, arXiv:1508.07909). Decoding restores any text exactly. `wordpiece`: Word pieces, as in BERT (Wu et al., 2016, arXiv:1609.08144). Each Chinese character is a word of its own. Decoding does not restore white space. `unigram`: Pieces chosen to maximize the likelihood of the texts under a unigram model (Kudo, 2018, arXiv:1804.10959). `character`: One token per character. |
| `vocab_size` | integer, at least 1 | required | Maximum number of tokens, including special tokens. |
| `min_frequency` | integer, at least 1 | `1` | Number of times that a pair or character must occur to enter the vocabulary. |
| `lowercase` | boolean | `false` | Convert all text to lower case and remove accents; decoding cannot restore either. `wordpiece` only. |
| `special_tokens` | list of strings |  | Special tokens in addition to those of the kind, e.g. `["<\|im_start\|>", "<\|im_end\|>"]`. |

## `[[dataset]]`

A source of records. Several datasets are mixed.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | required | The dataset's plugin. |
| `limit` | integer, at least 1 |  | Read only this many records, from the beginning. |
| `split` | "train" or "validation" | `"train"` | Whether the records are trained or only evaluated. `train`: Training, except for the records that `validation.fraction` holds back. `validation`: Validation only. |
| `weight` | number, above 0 | `1.0` | Average number of times that each record occurs in an epoch. |

The other keys are the plugin's own: `framework list-plugins --kind dataset` lists the plugins,
`framework describe NAME` one plugin's keys.

## `[[augment]]`

Augmenters, which change, add or remove records, in the order in which they are applied.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | required | The plugin's name. |

The other keys are the plugin's own: `framework list-plugins --kind augmenter` lists the plugins,
`framework describe NAME` one plugin's keys.

## `[prompt]`

How a record becomes a prompt and a response.

| key | takes | default | |
|---|---|---|---|
| `template` | string | `"alpaca"` | `alpaca`, `chatml`, `deepseek`, `deepseek-r1`, `phi-3`, `plain`, `think`, `zephyr`, `chat` (the tokenizer's own template; `chat:NAME` selects one of several), a Jinja template that contains `{{ response }}` or `{{ output }}` once, at the end, or a chat template that reads `messages`. |
| `system` | string |  | System message of conversations that begin without one. Not for Jinja templates with `{{ output }}`. |
| `turns` | "all" or "last" | `"all"` | Which of the assistant's messages in a conversation are trained. `all`: All of them. `last`: Only the last one; the messages before it are the prompt. |
| `date` | string |  | The date that `strftime_now` in a chat template returns, e.g. `2026-01-31`. Default: today. |
| `max_length` | integer, at least 2 | `512` | Maximum length of a sequence in tokens. Longer sequences are cut at the end. |
| `train_on_prompt` | boolean | `false` | Train on the tokens of the prompt as well as on those of the response. |
| `variables` | table |  | Additional variables for the template, e.g. `{ enable_thinking = false }`. |

## `[validation]`

Records that are held back for evaluation.

| key | takes | default | |
|---|---|---|---|
| `fraction` | number, from 0 to below 1 | `0.0` | Share of the training records to hold back, at least 0 and below 1. |

## `[data]`

How to handle rows that cannot be trained, and whether to cache tokens.

| key | takes | default | |
|---|---|---|---|
| `cache` | boolean | `true` | Cache the tokens, so that a later run with the same data, template and tokenizer reads them from the cache. |
| `bad_rows` | "error" or "skip" | `"error"` | What happens when the prompt template refuses a row, or when a row has no answer to train. `error`: The command stops and names the rows and the reasons. `skip`: The rows are left out, and counted by reason in the reports of `check`, `prepare` and `train`. |

## `[adapter]`

What is trained: parameters added to the base model, or the model's own.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | `"lora"` | The adapter's plugin. |
| `init_from` | path |  | An adapter folder in PEFT's format to start from, relative to the recipe's folder, or an id on the hub. |

The other keys are the plugin's own: `framework list-plugins --kind adapter` lists the plugins,
`framework describe NAME` one plugin's keys.

## `[objective]`

The loss that training minimises: cross-entropy of answers, distance from a teacher, or a preference loss.

| key | takes | default | |
|---|---|---|---|
| `name` | "sft", "distillation", "dpo", "orpo", "simpo" or "kto" | `"sft"` | The objective. `sft`: Cross-entropy of the answers (supervised fine-tuning). `distillation`: Cross-entropy mixed with the distance from a teacher's distribution (Hinton et al., 2015, arXiv:1503.02531). `dpo`: Pairs of answers, with a reference model (Rafailov et al., 2023, arXiv:2305.18290). `orpo`: Pairs of answers, without a reference: cross-entropy of the chosen answer plus an odds-ratio term (Hong et al., 2024, arXiv:2403.07691). `simpo`: Pairs of answers, without a reference: mean log-probabilities with a margin (Meng et al., 2024, arXiv:2405.14734). `kto`: Single answers labelled as desirable or undesirable, with a reference model (Ethayarajh et al., 2024, arXiv:2402.01306). |
| `label_smoothing` | number, from 0 to 1 |  | `sft`: the share of each label's probability that is spread evenly over the vocabulary (Szegedy et al., 2016, arXiv:1512.00567). `dpo` with `loss = "sigmoid"` or `"robust"`, and `simpo`: the assumed probability that a pair's answers are swapped (Mitchell, 2023). Default: 0. |
| `z_loss` | number, at least 0 |  | `sft`: weight of the squared logarithm of the softmax's denominator (Chowdhery et al., 2022, arXiv:2204.02311), a term that keeps logits small. PaLM uses 1e-4. Default: 0. |
| `row_weight` | string |  | `sft` and `distillation`: the field of the record that holds the row's weight, a number of at least 0. The loss is the weighted mean over all labels. Default: all rows have the same weight. |
| `loss` | "sigmoid", "ipo", "hinge" or "robust" |  | `dpo`: the loss of a pair as a function of `h`, the difference between the log-ratios of its answers to the reference. Default: `sigmoid`. `sigmoid`: `-log σ(β h)`. `ipo`: `(h - 1 / (2β))²`, with log-probabilities averaged over tokens (Azar et al., 2023, arXiv:2310.12036). `hinge`: `max(0, 1 - β h)` (Zhao et al., 2023, arXiv:2305.10425). `robust`: `sigmoid`, corrected for pairs whose answers are swapped (Ray Chowdhury et al., 2024, arXiv:2403.00409). `label_smoothing` is the share of such pairs, below 0.5. |
| `beta` | number, above 0 |  | `dpo` and `kto`: how strongly the model is kept close to the reference (default 0.1). `orpo`: weight of the odds-ratio term (default 0.1). `simpo`: scale of the mean log-probabilities (default 2). `distillation` with `divergence = "jensen-shannon"`: the teacher's share of the mixture, between 0 and 1 (default 0.5). |
| `gamma` | number, at least 0 |  | `simpo`: target margin between the rewards of the chosen and the rejected answer. A reward is `beta` times the mean log-probability. Default: 0.5. |
| `length_normalized` | boolean |  | `dpo`: use the mean log-probability of an answer's tokens instead of their sum. `ipo` always does. Default: false. |
| `sft_weight` | number, at least 0 |  | `dpo`: weight of the chosen answers' cross-entropy, which is added to the loss. Default: 0. |
| `reference` | "start" or "base" |  | `dpo` and `kto`: the model whose log-probabilities are the reference. They are computed once, before the first step. Default: `start`. `start`: The model as it is before the first step, with `adapter.init_from`. `base`: The base model without the adapter. |
| `desirable_weight` | number, at least 0 |  | `kto`: weight of desirable answers, those whose `label` is true. Default: 1. |
| `undesirable_weight` | number, at least 0 |  | `kto`: weight of undesirable answers, those whose `label` is false. Default: 1. |
| `teacher` | path |  | `distillation`: the model to learn from: a model folder or a run, relative to the recipe's folder, an id on the hub, or `base` for the recipe's own model without its adapter. It must have the student's tokenizer. The `teacher.safetensors` of a run with `top_k` on the same examples can take the place of a model. |
| `top_k` | integer, at least 1 |  | `distillation`: number of the teacher's most likely tokens to keep for each label. They are written to a file in the run's folder before the first step, so the teacher takes no memory while the student trains. |
| `divergence` | "forward", "reverse" or "jensen-shannon" |  | `distillation`: how the distance from the teacher's distribution is measured. Default: `forward`. With `top_k`, only `forward` is possible. `forward`: `KL(teacher ‖ student)`: the student covers everything that the teacher finds likely. `reverse`: `KL(student ‖ teacher)`: the student concentrates on what the teacher finds most likely (Gu et al., 2023, arXiv:2306.08543). `jensen-shannon`: A generalized Jensen-Shannon divergence, between the two (Agarwal et al., 2023, arXiv:2306.13649). |
| `temperature` | number, above 0 |  | `distillation`: temperature by which both models' logits are divided before the softmax. The distance is multiplied by its square (Hinton et al., 2015, arXiv:1503.02531). Default: 1. |
| `alpha` | number, from 0 to 1 |  | `distillation`: the share of the distance in the loss; the rest is cross-entropy. Default: 0.5. |

## `[optimizer]`

The optimizer.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | `"adamw"` | The plugin's name. |

The other keys are the plugin's own: `framework list-plugins --kind optimizer` lists the plugins,
`framework describe NAME` one plugin's keys.

## `[train]`

Length of the training, batches, learning-rate schedule, evaluation and checkpoints.

| key | takes | default | |
|---|---|---|---|
| `epochs` | number, above 0 |  | Number of passes over the data. Default: 1, unless `max_steps` is given. |
| `max_steps` | integer, at least 1 |  | Maximum number of optimizer steps. |
| `batch_size` | integer, at least 1 | `8` | Number of sequences per forward pass. |
| `gradient_accumulation` | integer, at least 1 | `1` | Number of forward passes per optimizer step. |
| `schedule` | "constant", "linear", "cosine", "cosine-restarts", "polynomial" or "inverse-sqrt" | `"linear"` | How the learning rate changes after the warm-up. `constant`: Stays the same. `linear`: Falls linearly to zero at the last step. `cosine`: Falls along half a cosine to `schedule_end` at the last step (Loshchilov and Hutter, 2017, arXiv:1608.03983). `cosine-restarts`: Like `cosine`, but falls to zero `schedule_cycles` times in succession. `polynomial`: Falls to `schedule_end` in proportion to the remaining share of steps, raised to the power `schedule_power`. `inverse-sqrt`: Falls with the inverse square root of the step (Vaswani et al., 2017, arXiv:1706.03762), and never reaches zero. |
| `schedule_power` | number, above 0 |  | Exponent of `polynomial`: 1 is linear, 2 falls faster at first. Default: 1. |
| `schedule_end` | number, at least 0 |  | The learning rate at the last step of `polynomial` and `cosine`. Default: 1e-7 for `polynomial`, 0 for `cosine`. |
| `schedule_cycles` | integer, at least 1 |  | Number of times that `cosine-restarts` falls to zero. Default: 1. |
| `schedule_timescale` | integer, at least 1 |  | Time scale of `inverse-sqrt`, in steps: the learning rate has halved after three times this number. Default: the number of warm-up steps, or 10000 without a warm-up. |
| `warmup_steps` | integer | `0` | Number of steps in which the learning rate rises from 0 to its full value. |
| `warmup_ratio` | number, from 0 to 1 |  | The warm-up as a share of all steps, rounded up, instead of `warmup_steps`. |
| `max_grad_norm` | number, at least 0 | `1.0` | Maximum norm of the gradient. A larger gradient is scaled down to it. 0 turns clipping off. |
| `shuffle` | boolean | `true` | Shuffle the examples anew in every epoch. |
| `group_by_length` | boolean | `false` | Put sequences of similar length into the same batch. |
| `packing` | boolean | `false` | Put several sequences into one row of up to `prompt.max_length` tokens. They do not attend to each other. |
| `activation_checkpointing` | boolean | `false` | Keep only the inputs of each block and recompute the rest for the gradients: less memory, a third more time. |
| `neftune_alpha` | number, above 0 |  | Adds uniform noise to the embeddings during training (NEFTune: Jain et al., 2023, arXiv:2310.05914). Its largest value is `neftune_alpha / √(L · d)` for a row of `L` tokens and embeddings of size `d`. The paper uses 5, 10 and 15. |
| `freeze` | list of strings |  | Parameters to leave unchanged although the adapter would train them: regular expressions that match anywhere in a parameter's name, such as `["embed_tokens", "layers\\.[0-3]\\."]`. |
| `log_every` | integer, at least 1 | `10` | Number of steps between lines of `metrics.jsonl`. |
| `eval_every` | "epoch", "end", a number of steps or a share of the run below 1 | `"epoch"` | When to evaluate on the validation data. The end of the run is always evaluated. `epoch`: At the end of every epoch. `end`: Only at the end of the run. |
| `save_every` | "epoch", "end", a number of steps or a share of the run below 1 | `"epoch"` | When to write a checkpoint. `epoch`: At the end of every epoch. `end`: Only at the end of the run. |
| `keep_checkpoints` | integer | `2` | Number of checkpoints to keep, not counting the best one. |
| `metric` | "loss", "perplexity" or "accuracy" | `"loss"` | The metric by which `load_best` and `early_stopping` compare evaluations. `loss`: The lowest mean cross-entropy per predicted token. `perplexity`: The lowest perplexity, e to the power of the loss. `accuracy`: The highest share of predicted tokens to which the model gives the highest probability. |
| `load_best` | boolean | `false` | Finish with the weights of the best evaluation instead of the last ones. |
| `save_dtype` | "f32", "bf16" or "f16" | `"f32"` | Number format of the saved adapter or model. `f32`: 32-bit. `bf16`: 16-bit with f32's range. `f16`: 16-bit, IEEE 754. |

## `[train.early_stopping]`

Stop when evaluations no longer improve.

| key | takes | default | |
|---|---|---|---|
| `patience` | integer, at least 1 | required | Number of consecutive evaluations without improvement after which the run stops. |
| `min_delta` | number, at least 0 | `0.0` | Smallest improvement over the best evaluation so far that counts as one. |

## `[generate]`

How text is generated: for the samples of a run, and by `generate` and `chat`.

| key | takes | default | |
|---|---|---|---|
| `plugin` | string | `"greedy"` | The decoder's plugin. |
| `prompts` | list of strings | `[]` | Instructions to answer at every evaluation and at the end of a run. The answers are written to `samples.md`. |
| `max_new_tokens` | integer, at least 1 | `128` | Maximum number of tokens to generate. |
| `max_length` | integer | `0` | Maximum number of tokens of prompt and answer together; 0 means the model's limit. |
| `min_new_tokens` | integer | `0` | Minimum number of tokens to generate. The end token is excluded until then. |
| `temperature` | number, above 0 | `1.0` | Temperature: the logits are divided by it before sampling, so values below 1 favour likely tokens. Only for decoders that sample. |
| `top_k` | integer | `0` | Sample from this many of the most likely tokens; 0 means all. Only for decoders that sample. |
| `top_p` | number, above 0, up to 1 | `1.0` | Sample from the smallest set of most likely tokens whose total probability is at least this (Holtzman et al., 2020, arXiv:1904.09751); 1 means all. Only for decoders that sample. |
| `min_p` | number, from 0 to 1 | `0.0` | Exclude tokens whose probability is below this share of the most likely token's (Nguyen et al., 2024, arXiv:2407.01082); 0 excludes none. Only for decoders that sample. |
| `repetition_penalty` | number, above 0 | `1.0` | Lowers the probability of tokens that already occurred (Keskar et al., 2019, arXiv:1909.05858); 1 turns it off. |
| `no_repeat_ngram_size` | integer | `0` | Length of token sequences that must not occur twice; 0 turns it off. |
| `stop` | list of strings | `[]` | Strings that end an answer, even if they begin or end within a token. The text ends before the first of them; the token ids end with the token that completes it. |
| `verse` | boolean | `false` | Format the text as Chinese verse: no spaces between characters, Chinese punctuation, one line per sentence, without an incomplete last sentence. The text is shown as a whole, not token by token. |

The other keys are the plugin's own: `framework list-plugins --kind decoder` lists the plugins,
`framework describe NAME` one plugin's keys.

## `[report]`

Reports that a run writes while it trains: curves, a page, metrics of answers.

| key | takes | default | |
|---|---|---|---|
| `tensorboard` | boolean | `true` | Write event files for TensorBoard into the folder `tensorboard` of the run: losses, learning rate, gradient norm, speed, sampled answers and settings. |
| `html` | boolean | `true` | Write a page about the run, `report.html`, and its curves as SVG into the folder `plots`. Both are rewritten at every evaluation and every 15 seconds. |
| `metrics` | list of strings | `[]` | Metrics of answers to the validation prompts, computed at every evaluation of a run and by `framework eval`. The answers are generated with the settings of `[generate]`. |
| `metric_examples` | integer | `64` | Number of validation examples, from the first on, that are answered for the metrics at each evaluation of a run; 0 means all. `framework eval` has `--limit` instead. |
| `segmentation` | "auto", "words", "chinese", "characters" or "jieba" | `"auto"` | What counts as a word in the metrics that count words. `auto`: `chinese` if most letters of the references are Chinese, else `words`. `words`: Words and punctuation (sacrebleu's `13a`). `chinese`: As `words`, and each Chinese character is a word (sacrebleu's `zh`). `characters`: Each character (sacrebleu's `char`). `jieba`: Chinese words, as found by jieba. |
| `schema` | path |  | A JSON Schema for the metric `schema`, relative to the recipe's folder. Default: the schema of the answers that the augmenter `qa-pairs` writes. |
"#);
}
