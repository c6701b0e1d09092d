"""Writes what transformers' beam search returns on tables of scores: python beams.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is
`beams.json` in it, described in tests/golden/README.md.
"""

import argparse
import random
from pathlib import Path

import torch

from environment import make_deterministic
from output import write_json
from table import Table

VOCAB = 16
PAD = 0
SEED = 11
CASES = 60
NEW_TOKENS = 10
# Other tables for which a case must have the same result: rounding does not decide it.
NEIGHBOURS = 6
NOISE = 2e-5
# What has not been filled by a sequence that ended scores -1e9.
UNFILLED = -1e8

CHOICES = {
    "table": ["last", "last_two"],
    "num_beams": [2, 3, 4, 5],
    "length_penalty": [-1.0, 0.0, 0.8, 1.0, 1.2, 2.5],
    "early_stopping": [False, True, "never"],
    "eos_token_id": [[], [3], [3], [3, 7]],
}
PROCESSORS = [
    {},
    {},
    {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3},
    {"repetition_penalty": 1.5},
    {"no_repeat_ngram_size": 2},
    {"min_new_tokens": 4},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "min_new_tokens": 3},
]


def tables(rng: random.Random) -> dict:
    """Logits of two decimals; ends are likely, and the padding is not."""

    def row():
        logits = [rng.randint(-250, 250) / 100 for _ in range(VOCAB)]
        logits[3] = rng.randint(100, 300) / 100
        logits[PAD] = -12.0
        return logits

    last = [row() for _ in range(VOCAB)]
    last_two = [[row() for _ in range(VOCAB)] for _ in range(VOCAB)]
    return {"last": torch.tensor(last), "last_two": torch.tensor(last_two)}


def case(rng: random.Random) -> dict:
    """Settings and one to three prompts of any lengths."""
    settings = {key: rng.choice(values) for key, values in CHOICES.items()} | rng.choice(PROCESSORS)
    # transformers penalises the padding in front of a prompt as if it had been said.
    short = "repetition_penalty" not in settings
    length = rng.randint(2, 5)
    prompts = [
        [rng.randrange(4, VOCAB) for _ in range(rng.randint(2, 5) if short else length)]
        for _ in range(rng.randint(1, 3))
    ]
    return settings | {"prompts": prompts, "max_new_tokens": rng.choice([5, NEW_TOKENS, NEW_TOKENS])}


def answers(table: torch.Tensor, case: dict) -> list:
    """Per prompt, all sequences that ended and their scores, the best first."""
    options = {key: value for key, value in case.items() if key not in ("table", "prompts")}
    eos = options.pop("eos_token_id")
    beams = options["num_beams"]
    output = Table(table).answer(
        case["prompts"],
        PAD,
        do_sample=False,
        num_return_sequences=beams,
        eos_token_id=eos or None,
        **options,
    )
    new = output.sequences[:, max(map(len, case["prompts"])) :].tolist()
    scores = output.sequences_scores.tolist()
    found = [(until(ids, eos), score) for ids, score in zip(new, scores, strict=True)]
    prompts = [found[start : start + beams] for start in range(0, len(found), beams)]
    ended = [[pair for pair in prompt if pair[1] > UNFILLED] for prompt in prompts]
    return [
        {"ids": [ids for ids, _ in prompt], "scores": [score for _, score in prompt]}
        for prompt in ended
    ]


def until(ids: list, eos: list) -> list:
    ends = [index for index, token in enumerate(ids) if token in eos]
    return ids[: ends[0] + 1] if ends else ids


def ids_of(answers: list) -> list:
    return [answer["ids"] for answer in answers]


def is_clear(table: torch.Tensor, case: dict, expected: list) -> bool:
    """Whether a slightly different table gives the same sequences in the same order."""
    for seed in range(NEIGHBOURS):
        noise = torch.randn(table.shape, generator=torch.Generator().manual_seed(seed))
        if ids_of(answers(table + NOISE * noise, case)) != ids_of(expected):
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "golden"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    folder = parser.parse_args().folder
    make_deterministic()
    rng = random.Random(SEED)
    logits = tables(rng)
    cases = []
    while len(cases) < CASES:
        drawn = case(rng)
        expected = answers(logits[drawn["table"]], drawn)
        if is_clear(logits[drawn["table"]], drawn, expected):
            cases.append(drawn | {"expected": expected})
    check(logits, cases)
    write_json(folder / "beams.json", {"vocab": VOCAB, "tables": logits, "cases": cases})


def check(logits: dict, cases: list) -> None:
    """Stops if the cases do not show what they are there for."""
    lengths = [[len(answer["ids"][0]) for answer in case["expected"]] for case in cases]
    uneven = [case for case, found in zip(cases, lengths) if len(set(found)) > 1]
    early = [case for case, found in zip(cases, lengths) if max(found) < case["max_new_tokens"]]
    assert len(uneven) > 8 and len(early) > 8, "too few cases in which prompts end at different times"

    def matters(key, others):
        changed = [
            case
            for case in cases
            for other in others
            if ids_of(answers(logits[case["table"]], case | {key: other})) != ids_of(case["expected"])
        ]
        assert len(changed) > 4, f"{key} hardly changes anything"

    matters("early_stopping", CHOICES["early_stopping"])
    matters("length_penalty", [1.0])


if __name__ == "__main__":
    main()
