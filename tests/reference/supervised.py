"""Writes losses and training with label smoothing, z-loss and weights: python supervised.py [FOLDER] [--only NAMES]

FOLDER defaults to `golden` next to this script's folder; the files are in `objectives/`, described in
tests/golden/README.md.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F

import objectives
from environment import make_deterministic

# Weights of the rows, which come again and again.
WEIGHTS = [1.0, 0.25, 3.0, 0.5, 2.0, 0.0, 1.5]
CASES = {
    "sft-label-smoothing": {"label_smoothing": 0.1},
    "sft-z-loss": {"z_loss": 0.01},
    "sft-weights": {"weights": True},
}


def weights() -> list:
    return [WEIGHTS[number % len(WEIGHTS)] for number in range(len(objectives.examples()))]


def losses(settings: dict):
    smoothing, z = settings.get("label_smoothing", 0.0), settings.get("z_loss")
    by_number = weights()

    def parts(model, batch: dict, numbers: list) -> tuple:
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
        logits, labels, rows = objectives.scored(model(**inputs).logits, batch["labels"])
        each = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        split = {}
        if smoothing:
            split["cross_entropy"] = F.cross_entropy(logits, labels, reduction="sum").detach()
        if z:
            squares = logits.logsumexp(-1) ** 2
            split = {"cross_entropy": each.sum().detach(), "squares": squares.sum().detach()}
            each = each + z * squares
        if not settings.get("weights"):
            return each.sum(), split, len(labels)
        given = torch.tensor([by_number[number] for number in numbers])[rows]
        return (given * each).sum(), split, given.sum()

    return parts


def check_plain() -> None:
    """Assert that without any of it the courses are those of the model's case."""
    expected = json.loads((objectives.GOLDEN / objectives.CASE / "expected.json").read_text())
    for kind in objectives.RATES:
        found, _ = objectives.train(kind, losses({}), objectives.examples(), 4)
        torch.testing.assert_close(found.losses, expected[f"{kind}_losses"], rtol=1e-5, atol=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=objectives.GOLDEN)
    parser.add_argument("--only", nargs="+", help="files to write, the others stay: sft-z-loss")
    options = parser.parse_args()
    make_deterministic()
    check_plain()
    for name, settings in CASES.items():
        if options.only and name not in options.only:
            continue
        more = {"weights": weights()} if settings.get("weights") else {}
        objectives.write(options.folder, name, settings, more, losses(settings))


if __name__ == "__main__":
    main()
