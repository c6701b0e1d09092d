"""Writes what transformers' generate() draws from: python sampling.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is
`sampling.json` in it, described in tests/golden/README.md.
"""

import argparse
import collections
import random
from pathlib import Path

import torch

from environment import make_deterministic
from output import write_json
from table import Table

VOCAB = 12
PAD = 0
SEED = 5
PROMPT = [7, 2, 9, 4]
# The least probability of a token at the border of what is kept, so that one more or less shows.
BORDER = 0.05
NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}
CASES = [
    {},
    {"temperature": 0.6},
    {"temperature": 1.6},
    {"top_k": 4},
    {"top_p": 0.6},
    {"top_p": 0.85},
    {"min_p": 0.3},
    {"temperature": 0.8, "top_k": 5, "top_p": 0.9},
    {"temperature": 0.6, "top_p": 0.85, "repetition_penalty": 1.3},
    {"temperature": 1.3, "top_k": 6, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 1.5},
]
BEAMS = {
    "settings": {"temperature": 0.8, "top_k": 4, "top_p": 0.9, "repetition_penalty": 1.2},
    "num_beams": 3,
    "length_penalty": 1.2,
    "eos_token_id": [3],
    "max_new_tokens": 3,
}
DRAWS = 100_000
TOGETHER = 2_000


def table() -> torch.Tensor:
    """Logits by the last token, of two decimals, so near each other that many tokens count."""
    rng = random.Random(SEED)
    rows = [[n / 100 for n in rng.sample(range(-100, 200), VOCAB)] for _ in range(VOCAB)]
    for row in rows:
        row[PAD] = -12.0
    return torch.tensor(rows)


def probabilities(logits: torch.Tensor, settings: dict) -> list:
    """Of each token after the prompt, as generate() shapes them for sampling."""
    options = NEUTRAL | settings
    output = Table(logits).answer([PROMPT], PAD, do_sample=True, max_new_tokens=1, **options)
    return output.scores[0][0].double().softmax(-1).tolist()


def moved_borders(logits: torch.Tensor, settings: dict, expected: list) -> list:
    """Settings of `top_p` that keep one token more and one less, if `top_p` decides how many are kept."""
    everything = probabilities(logits, settings | {"top_p": 1.0})
    kept = sum(p > 0 for p in expected)
    if kept == sum(p > 0 for p in everything):
        return []
    ordered = sorted(everything, reverse=True)
    moved = []
    for count in (kept - 1, kept + 1):
        assert ordered[max(count, kept) - 1] > BORDER, "one token more or less does not show"
        # Between what the first `count - 1` and the first `count` tokens have together.
        mutated = settings | {"top_p": round(sum(ordered[: count - 1]) + ordered[count - 1] / 2, 4)}
        assert sum(p > 0 for p in probabilities(logits, mutated)) == count
        moved.append(mutated)
    return moved


def beams(logits: torch.Tensor) -> dict:
    """How often each answer comes of beam search with sampling."""
    options = {key: value for key, value in BEAMS.items() if key != "settings"}
    counts = collections.Counter()
    torch.manual_seed(SEED)
    for _ in range(DRAWS // TOGETHER):
        output = Table(logits).answer(
            [PROMPT] * TOGETHER, PAD, do_sample=True, **NEUTRAL | BEAMS["settings"], **options
        )
        for ids in output.sequences[:, len(PROMPT) :].tolist():
            end = ids.index(3) + 1 if 3 in ids else len(ids)
            counts[tuple(ids[:end])] += 1
    found = [{"ids": list(ids), "count": count} for ids, count in counts.most_common()]
    return BEAMS | {"draws": DRAWS, "answers": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "golden"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    folder = parser.parse_args().folder
    make_deterministic()
    logits = table()
    cases = []
    for settings in CASES:
        expected = probabilities(logits, settings)
        moved = moved_borders(logits, settings, expected) if "top_p" in settings else []
        cases.append({"settings": settings, "probabilities": expected, "moved_borders": moved})
    assert sum(bool(case["moved_borders"]) for case in cases) >= 4
    written = {"vocab": VOCAB, "table": logits, "prompt": PROMPT, "cases": cases}
    write_json(folder / "sampling.json", written | {"beams": beams(logits)})


if __name__ == "__main__":
    main()
