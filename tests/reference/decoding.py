"""Writes what transformers' logits processors do: python decoding.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is
`processors.json` in it, described in tests/golden/README.md.
"""

import argparse
import random
from pathlib import Path

import torch
from transformers import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from environment import make_deterministic
from output import write_json

VOCAB = 20
ROWS = 3
SEED = 7
# With repetitions of which a size-3 check bans less than a size-2 check.
PREVIOUS = [
    [4, 9, 7, 9, 4, 2, 9, 4],
    [1, 1, 1, 5, 1, 0, 1, 1],
    [3, 8, 6, 2, 8, 9, 3, 8],
]
EOS = [3, 17]


def cases() -> list[dict]:
    """The processors by name; those of one case are applied in the order given."""
    single = {
        "repetition_penalty": [("repetition_penalty", {"penalty": 1.3})],
        "no_repeat_ngram_2": [("no_repeat_ngram", {"size": 2})],
        "no_repeat_ngram_3": [("no_repeat_ngram", {"size": 3})],
        "no_repeat_ngram_9": [("no_repeat_ngram", {"size": 9})],
        "temperature": [("temperature", {"temperature": 0.7})],
        "top_k": [("top_k", {"k": 5})],
        "top_k_all": [("top_k", {"k": 50})],
        "top_p": [("top_p", {"p": 0.8})],
        "min_p": [("min_p", {"p": 0.1})],
        "min_new_tokens_unmet": [
            ("min_new_tokens", {"prompt_length": 5, "min_new_tokens": 4, "eos": EOS})
        ],
        "min_new_tokens_met": [
            ("min_new_tokens", {"prompt_length": 5, "min_new_tokens": 3, "eos": EOS})
        ],
        # In the order in which generate() applies them.
        "chain": [
            ("repetition_penalty", {"penalty": 1.3}),
            ("no_repeat_ngram", {"size": 2}),
            ("min_new_tokens", {"prompt_length": 5, "min_new_tokens": 4, "eos": EOS}),
            ("temperature", {"temperature": 0.7}),
            ("top_k", {"k": 10}),
            ("top_p", {"p": 0.9}),
            ("min_p", {"p": 0.05}),
        ],
    }
    return [
        {"name": name, "processors": [{"kind": kind, **options} for kind, options in steps]}
        for name, steps in single.items()
    ]


def processor(kind: str, **options):
    """The transformers processor of one step of a case."""
    make = {
        "repetition_penalty": lambda penalty: RepetitionPenaltyLogitsProcessor(penalty),
        "no_repeat_ngram": lambda size: NoRepeatNGramLogitsProcessor(size),
        "temperature": lambda temperature: TemperatureLogitsWarper(temperature),
        "top_k": lambda k: TopKLogitsWarper(k),
        "top_p": lambda p: TopPLogitsWarper(p),
        "min_p": lambda p: MinPLogitsWarper(p),
        "min_new_tokens": lambda prompt_length, min_new_tokens, eos: (
            MinNewTokensLengthLogitsProcessor(prompt_length, min_new_tokens, eos)
        ),
    }
    return make[kind](**options)


def random_logits() -> torch.Tensor:
    """Logits of three decimals, all different within a row, of both signs."""
    rng = random.Random(SEED)
    rows = [[n / 1000 for n in rng.sample(range(-4000, 4001), VOCAB)] for _ in range(ROWS)]
    return torch.tensor(rows)


def expected(case: dict, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    steps = [processor(**step) for step in case["processors"]]
    return LogitsProcessorList(steps)(ids, logits.clone())


def tied_top_k() -> dict:
    """Logits equal to the k-th best are all kept, so more than k may be."""
    logits = torch.tensor([[0.5, 2.0, 1.0, 1.0, -1.0, 1.0]])
    case = {"name": "top_k_tied", "processors": [{"kind": "top_k", "k": 2}]}
    ids = torch.tensor([[0]])
    return case | {"input_ids": ids, "logits": logits, "expected": expected(case, ids, logits)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "golden"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    folder = parser.parse_args().folder
    make_deterministic()
    ids, logits = torch.tensor(PREVIOUS), random_logits()
    written = [case | {"expected": expected(case, ids, logits)} for case in cases()]
    write_json(
        folder / "processors.json",
        {"input_ids": ids, "logits": logits, "cases": written, "own_input": [tied_top_k()]},
    )


if __name__ == "__main__":
    main()
