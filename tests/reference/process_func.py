"""Writes the tokens and labels that tutorials for DeepSeek-7B-chat make of instruction rows.

    python process_func.py [OUT]                           tests/golden/process_func/
    python process_func.py --rows rows.json --tokenizer DIR --compare prepared.jsonl

The second form compares with what `framework prepare RECIPE --to prepared.jsonl --as tokens` has written, in any order,
and exits with 1 if a row differs. Rows of which truncation leaves no label are not trained, and so not expected there.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "recipes/data/teahouse.json"
BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"


def process_func(tokenizer, row: dict, max_length: int) -> dict:
    """A row's tokens and labels; the padding token, which is the end token, is trained once behind the answer."""
    prompt = f"User: {row['instruction'] + row['input']}\n\n"
    prompt = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(f"Assistant: {row['output']}{END}", add_special_tokens=False)["input_ids"]
    ids = prompt + answer + [tokenizer.pad_token_id]
    labels = [-100] * len(prompt) + answer + [tokenizer.pad_token_id]
    return {"input_ids": ids[:max_length], "labels": labels[:max_length]}


def trained(rows: list[dict], folder: Path):
    """A small tokenizer of the kind that the model has: bytes, begin and end tokens, the end token as padding."""
    tokenizer = Tokenizer(models.BPE())
    parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=[BEGIN, END], initial_alphabet=alphabet)
    tokenizer.train_from_iterator((" ".join(row.values()) for row in rows), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=END)
    fast.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def write(out: Path) -> None:
    rows = json.loads(ROWS.read_text())
    shutil.rmtree(out, ignore_errors=True)
    tokenizer = trained(rows, out / "tokenizer")
    cases = [
        {"max_length": n, "rows": [process_func(tokenizer, row, n) for row in rows]} for n in (384, 48)
    ]
    longest = [max(len(row["input_ids"]) for row in case["rows"]) for case in cases]
    if not (longest[0] < 384 and longest[1] == 48):
        sys.exit(f"the longest rows have {longest} tokens: let one limit cut and the other not")
    (out / "expected.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def compare(rows: Path, folder: Path, max_length: int, prepared: Path) -> int:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = [process_func(tokenizer, row, max_length) for row in json.loads(rows.read_text())]
    expected = [row for row in expected if any(label != -100 for label in row["labels"][1:])]
    key = lambda row: (tuple(row["input_ids"]), tuple(row["labels"]))
    found = [json.loads(line) for line in prepared.read_text().splitlines()]
    found, expected = Counter(map(key, found)), Counter(map(key, expected))
    missing, extra = expected - found, found - expected
    print(f"{expected.total()} rows, {missing.total()} of them missing, {extra.total()} others")
    return 1 if missing or extra else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "tests/golden/process_func")
    parser.add_argument("--rows", type=Path, help="a list of rows, as JSON")
    parser.add_argument("--tokenizer", type=Path, help="folder of the tokenizer")
    parser.add_argument("--max-length", type=int, default=384)
    parser.add_argument("--compare", type=Path, help="what was prepared of them")
    options = parser.parse_args()
    if options.compare:
        return compare(options.rows, options.tokenizer, options.max_length, options.compare)
    write(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
