"""The `datasets` side: python tokenizing_peer.py WORK MODE [FILE]

`rows`, `batched` and `processes` read and tokenize as is usual with `datasets` and a fast tokenizer of transformers;
`tokenizer` trains the tokenizer on a table; `digest` hashes what the framework wrote.
"""

import hashlib
import json
import os
import sys
import time
from array import array
from pathlib import Path

import alpaca

IGNORED = -100


def digest(batches) -> tuple[str, int]:
    """A hash of ids and labels, and the number of rows."""
    hashed, rows = hashlib.sha256(), 0
    for batch in batches:
        for ids, labels in zip(batch["input_ids"], batch["labels"]):
            # We drop what teaches nothing; here it is left out of the comparison only.
            if all(label == IGNORED for label in labels[1:]):
                continue
            hashed.update(len(ids).to_bytes(4, "little"))
            hashed.update(array("i", ids).tobytes() + array("i", labels).tobytes())
            rows += 1
    return hashed.hexdigest(), rows


def load_tokenizer(work: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(work / "tokenizer")


def one_row(tokenizer, max_length: int):
    """A row's ids and labels: the prompt is given, the response and the end token are learned."""

    def encode(row: dict) -> dict:
        prompt = tokenizer(alpaca.prompt(row), add_special_tokens=False)["input_ids"]
        response = tokenizer(row["output"] + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        return {
            "input_ids": (prompt + response)[:max_length],
            "labels": ([IGNORED] * len(prompt) + response)[:max_length],
        }

    return encode


def many_rows(tokenizer, max_length: int):
    """The same for a batch."""

    def encode(batch: dict) -> dict:
        rows = [dict(zip(batch, values)) for values in zip(*batch.values())]
        prompts = tokenizer([alpaca.prompt(row) for row in rows], add_special_tokens=False)["input_ids"]
        answers = [row["output"] + tokenizer.eos_token for row in rows]
        answers = tokenizer(answers, add_special_tokens=False)["input_ids"]
        pairs = list(zip(prompts, answers))
        return {
            "input_ids": [(prompt + answer)[:max_length] for prompt, answer in pairs],
            "labels": [([IGNORED] * len(prompt) + answer)[:max_length] for prompt, answer in pairs],
        }

    return encode


def run(work: Path, mode: str) -> None:
    import datasets

    datasets.disable_progress_bars()
    max_length = json.loads((work / "settings.json").read_text())["max_length"]
    tokenizer = load_tokenizer(work)
    start, busy = time.perf_counter(), os.times()
    # Without this, pandas takes "None" and "NA" for missing.
    table = datasets.load_dataset("csv", data_files=str(work / "rows.csv"), split="train", keep_default_na=False)
    encode = one_row if mode == "rows" else many_rows
    table = table.map(
        encode(tokenizer, max_length),
        batched=mode != "rows",
        num_proc=2 if mode == "processes" else None,
        remove_columns=table.column_names,
    )
    seconds, cpu = time.perf_counter() - start, sum(os.times()[:4]) - sum(busy[:4])
    found, rows = digest(table.iter(1000))
    result = {"seconds": seconds, "cpu_seconds": cpu, "digest": found, "rows": rows}
    (work / f"{mode}.json").write_text(json.dumps(result))


def train_tokenizer(work: Path, file: Path) -> None:
    from prepare import make_tokenizer

    rows = alpaca.read_rows(file)
    make_tokenizer([alpaca.prompt(row) + row["output"] for row in rows]).save_pretrained(work / "tokenizer")


def hash_ours(work: Path, file: Path) -> None:
    import pyarrow.parquet

    batches = pyarrow.parquet.ParquetFile(file).iter_batches(1000, columns=["input_ids", "labels"])
    found, rows = digest(batch.to_pydict() for batch in batches)
    (work / "digest.json").write_text(json.dumps({"digest": found, "rows": rows}))


if __name__ == "__main__":
    work, mode = Path(sys.argv[1]), sys.argv[2]
    if mode == "tokenizer":
        train_tokenizer(work, Path(sys.argv[3]))
    elif mode == "digest":
        hash_ours(work, Path(sys.argv[3]))
    else:
        run(work, mode)
