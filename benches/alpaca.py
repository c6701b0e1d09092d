"""Stanford Alpaca's prompts, and instruction tables as CSV."""

import csv
import sys
from pathlib import Path

WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n"
)
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides "
    "further context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
COLUMNS = ("instruction", "input", "output")


def prompt(row: dict[str, str]) -> str:
    """The prompt of a row, up to where the response begins."""
    return (WITH_INPUT if row["input"] else WITHOUT_INPUT).format(**row)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The table's rows, trimmed, less those that lack an instruction or an output."""
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"instruction", "output"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: there is no column {', '.join(sorted(missing))}")
        rows = [{name: (row.get(name) or "").strip() for name in COLUMNS} for row in reader]
    return [row for row in rows if row["instruction"] and row["output"]]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Writes a table that `read_rows` reads back as it was."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
