"""Writes the learning rates of transformers' schedules: python schedules.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is `schedules.json` in it, described in
tests/golden/README.md.
"""

import argparse
import math
from pathlib import Path

import torch
from transformers import get_scheduler

from output import write_json

# The schedule's name and settings in a recipe, and transformers' name and settings.
SCHEDULES = [
    ("constant", {}, "constant_with_warmup", {}),
    ("linear", {}, "linear", {}),
    ("cosine", {}, "cosine", {}),
    ("cosine", {"schedule_end": 1e-4}, "cosine_with_min_lr", {"min_lr": 1e-4}),
    ("cosine-restarts", {}, "cosine_with_restarts", {}),
    ("cosine-restarts", {"schedule_cycles": 3}, "cosine_with_restarts", {"num_cycles": 3}),
    ("polynomial", {}, "polynomial", {}),
    ("polynomial", {"schedule_power": 2.0}, "polynomial", {"power": 2.0}),
    ("polynomial", {"schedule_power": 0.5, "schedule_end": 1e-4}, "polynomial", {"power": 0.5, "lr_end": 1e-4}),
    ("inverse-sqrt", {}, "inverse_sqrt", {}),
    ("inverse-sqrt", {"schedule_timescale": 7}, "inverse_sqrt", {"timescale": 7}),
]
RATE = 2e-3
# Steps in all, and the warm-up: as steps, or as a share of them.
RUNS = [(40, {}), (40, {"warmup_steps": 6}), (37, {"warmup_ratio": 0.1}), (5, {"warmup_steps": 5}), (1, {})]


def rates(name, settings, warmup, total):
    """The learning rate of every step, and of the one after the last."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    schedule = get_scheduler(name, optimizer, warmup, total, scheduler_specific_kwargs=settings)
    found = []
    for _ in range(total + 1):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "golden")
    cases = []
    for ours, keys, theirs, settings in SCHEDULES:
        for total, warmup in RUNS:
            if theirs == "polynomial" and total == warmup.get("warmup_steps"):
                continue  # transformers divides by the steps after the warm-up
            steps = warmup.get("warmup_steps", math.ceil(total * warmup.get("warmup_ratio", 0)))
            train = {"schedule": ours, **keys, **warmup}
            found = rates(theirs, settings, steps, total)
            cases.append({"train": train, "learning_rate": RATE, "total": total, "rates": found})
    write_json(parser.parse_args().folder / "schedules.json", cases)


if __name__ == "__main__":
    main()
