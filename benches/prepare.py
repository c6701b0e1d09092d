"""Makes model, tokenizer, adapter and examples: python prepare.py WORK TABLE

`training_step.py` calls it, in a process of its own. WORK holds the settings.
"""

import json
import shutil
import sys
from itertools import cycle, islice
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

import alpaca
from work import ALPHA, RANK, TARGETS, Settings, Work

END = "<|endoftext|>"
# Tokens of Pythia's tokenizer; its models' embeddings are padded to a multiple of 128.
MOST_TOKENS = 50254


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer built as GPT-NeoX's is; the end token has the id 0."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MOST_TOKENS,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, unk_token=END
    )


def make_model(seed: int) -> GPTNeoXForCausalLM:
    """A model of the shape of Pythia-14m with random weights."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=50304,
        hidden_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=2048,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.25,
        },
        hidden_act="gelu",
        use_parallel_residual=True,
        attention_bias=True,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        dtype="float32",
    )
    return GPTNeoXForCausalLM(config).float()


def save_adapter(model: GPTNeoXForCausalLM, work: Work, seed: int) -> None:
    """A new LoRA adapter, initialised by peft."""
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(work.model),
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(TARGETS),
    )
    get_peft_model(model, config).save_pretrained(work.adapter)


def tokenized(row: dict[str, str], tokenizer: PreTrainedTokenizerFast, max_length: int) -> dict:
    """Prompt, response and end token, the first two tokenized apart, cut at the end."""

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    prompt, response = encode(alpaca.prompt(row)), encode(row["output"])
    ids = prompt + response + [tokenizer.eos_token_id]
    return {"ids": ids[:max_length], "prompt": min(len(prompt), max_length)}


def choose(
    rows: list[dict], tokenizer: PreTrainedTokenizerFast, settings: Settings
) -> list[tuple[dict, dict]]:
    """As many rows as are trained on, with their examples.

    They are taken in order, again from the start if there are too few. A row of which the cut
    leaves only the prompt is passed over.
    """
    wanted = settings.steps * settings.batch_size
    chosen = []
    for row in rows:
        example = tokenized(row, tokenizer, settings.max_length)
        if len(example["ids"]) > example["prompt"]:
            chosen.append((row, example))
        if len(chosen) == wanted:
            break
    if not chosen:
        raise ValueError("the table has no row with a response within max-length tokens")
    return list(islice(cycle(chosen), wanted))


def main(work: Work, table: Path) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    settings = work.load()
    for folder in (work.model, work.adapter):
        shutil.rmtree(folder, ignore_errors=True)
    rows = alpaca.read_rows(table)
    tokenizer = make_tokenizer([alpaca.prompt(row) + row["output"] for row in rows])
    tokenizer.save_pretrained(work.model)
    model = make_model(settings.seed)
    model.save_pretrained(work.model)
    if not settings.full:
        save_adapter(model, work, settings.seed)
    chosen = choose(rows, tokenizer, settings)
    alpaca.write_rows(work.table, [row for row, _ in chosen])
    work.examples.write_text(json.dumps([example for _, example in chosen]))


if __name__ == "__main__":
    main(Work(Path(sys.argv[1])), Path(sys.argv[2]))
