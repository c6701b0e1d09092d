"""Makes model, tokenizer, adapter and examples: python prepare.py WORK [TABLE]

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
from transformers import PreTrainedModel, PreTrainedTokenizerFast

import alpaca
from shapes import SHAPES, make_model
from work import ALPHA, RANK, Settings, Work

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


def save_adapter(model: PreTrainedModel, work: Work, settings: Settings) -> None:
    """A new LoRA adapter, initialised by peft."""
    torch.manual_seed(settings.seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(work.model),
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(SHAPES[settings.shape].targets),
    )
    get_peft_model(model, config).save_pretrained(work.adapter)


def make_word_tokenizer(words: int) -> PreTrainedTokenizerFast:
    """Each of the words `w1`, `w2` … is a token; the end token has the id 0."""
    vocabulary = {END: 0} | {f"w{i}": i for i in range(1, words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, unk_token=END
    )


def make_texts(settings: Settings, words: int) -> list[list[int]]:
    """Random words and the end token, as many rows as are trained on."""
    generator = torch.Generator().manual_seed(settings.seed)
    size = (settings.steps * settings.batch_size, settings.dense - 1)
    ids = torch.randint(1, words, size, generator=generator)
    return [[*row, 0] for row in ids.tolist()]


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


def write_table(work: Work, settings: Settings, table: Path) -> None:
    """Tokenizer, rows and examples from a CSV of instructions."""
    rows = alpaca.read_rows(table)
    tokenizer = make_tokenizer([alpaca.prompt(row) + row["output"] for row in rows])
    tokenizer.save_pretrained(work.model)
    chosen = choose(rows, tokenizer, settings)
    alpaca.write_rows(work.table, [row for row, _ in chosen])
    work.examples.write_text(json.dumps([example for _, example in chosen]))


def write_texts(work: Work, settings: Settings, words: int) -> None:
    """Tokenizer, rows and examples that are supervised as a whole."""
    make_word_tokenizer(words).save_pretrained(work.model)
    rows = make_texts(settings, words)
    with work.texts.open("w", encoding="utf-8") as file:
        for row in rows:
            text = " ".join(f"w{i}" for i in row[:-1])
            file.write(json.dumps({"text": text}) + "\n")
    work.examples.write_text(json.dumps([{"ids": row, "prompt": 0} for row in rows]))


def main(work: Work, table: Path | None) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    settings = work.load()
    for folder in (work.model, work.adapter):
        shutil.rmtree(folder, ignore_errors=True)
    model = make_model(settings.shape, settings.seed)
    if table is None:
        write_texts(work, settings, model.config.vocab_size)
    else:
        write_table(work, settings, table)
    model.save_pretrained(work.model)
    if not settings.full:
        save_adapter(model, work, settings)


if __name__ == "__main__":
    main(Work(Path(sys.argv[1])), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
