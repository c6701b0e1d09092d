"""Writes what TRL's trainers compute of preferences: python preferences.py [FOLDER] [--only NAMES]

FOLDER defaults to `golden` next to this script's folder; the files are in `objectives/`, described in
tests/golden/README.md. What TRL does that one must know is in README.md beside this script.
"""

import argparse
import json
import random
from pathlib import Path

import torch

import trainers
from environment import make_deterministic
from formulas import by_formula
from models import load_model
from output import write_json
from training import BATCH, CLIP, EPOCHS

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CASE = "llama/plain"
ADAPTER = f"{CASE}/lora"
ROWS = 24
# The most by which a step in two micro-batches may differ from one in a single batch, where they compute the same.
CLOSE = {"losses": 1e-5, "grad_norms": 1e-4}

# Name, trainer and its options, and whether a step in micro-batches computes what one of all its rows does.
CASES = {
    "dpo-sigmoid": ("DPOTrainer", {"loss_type": "sigmoid", "beta": 0.1}, True),
    "dpo-ipo": ("DPOTrainer", {"loss_type": "ipo", "beta": 0.3}, True),
    "dpo-hinge": ("DPOTrainer", {"loss_type": "hinge", "beta": 0.12}, True),
    "dpo-sigmoid-norm": ("DPOTrainer", {"loss_type": "sigmoid_norm", "beta": 1.5}, True),
    "dpo-robust": ("DPOTrainer", {"loss_type": "robust", "beta": 0.1, "label_smoothing": 0.1}, True),
    # DPOTrainer has no loss that is called conservative DPO; of single pairs, which it cannot sort, "aot" is that.
    "dpo-conservative": ("DPOTrainer", {"loss_type": "aot", "beta": 0.1, "label_smoothing": 0.1}, True),
    "orpo": ("ORPOTrainer", {"beta": 0.25}, False),
    "simpo": ("CPOTrainer", {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.0, "simpo_gamma": 1.0}, True),
    "kto": ("KTOTrainer", {"loss_type": "kto", "beta": 0.1, "undesirable_weight": 1.3}, False),
}


def ids(rng: random.Random, least: int, most: int) -> list:
    """Tokens that are neither padding nor the end token nor, in other models, the first."""
    return [rng.randrange(3, 48) for _ in range(rng.randint(least, most))]


def pairs() -> list:
    """Prompts with two answers of unequal lengths, which end with the end token."""
    rng = random.Random(41)
    rows = []
    while len(rows) < ROWS:
        row = {"prompt": ids(rng, 2, 6), "chosen": ids(rng, 1, 8), "rejected": ids(rng, 1, 8)}
        if len(row["chosen"]) != len(row["rejected"]):
            rows.append({key: value if key == "prompt" else [*value, trainers.EOS] for key, value in row.items()})
    return rows


def judged() -> list:
    """Prompts with an answer that is wanted or not; in the third step all are wanted, in the fourth none is."""
    rng = random.Random(42)
    rows = []
    for number in range(ROWS):
        label = {2: True, 3: False}.get(number // BATCH, rng.random() < 0.5)
        rows.append({"prompt": ids(rng, 2, 6), "completion": [*ids(rng, 1, 8), trainers.EOS], "label": label})
    return rows


def mismatched(rows: list, micro: int) -> list:
    """The rows with the answers of others, for KTO's estimate of the KL divergence: each has the one before it."""
    found = []
    for start in range(0, len(rows), micro):
        group = rows[start : start + micro]
        found += [{**row, "kl_completion": other["completion"]} for row, other in zip(group, [group[-1], *group])]
    return found


def check_fed(trainer, rows: list) -> None:
    """Assert that the model saw the prompts with their answers, and nothing else."""
    calls = [call["rows"] for call in trainer.calls if not call["reference"]]
    size = trainer.args.per_device_train_batch_size
    expected = []
    for start in range(0, len(rows), size):
        group = rows[start : start + size]
        if "completion" in rows[0]:
            expected.append([row["prompt"] + row["kl_completion"] for row in group])
            expected.append([row["prompt"] + row["completion"] for row in group])
        else:
            expected.append([row["prompt"] + row[key] for key in ("chosen", "rejected") for row in group])
    assert calls == expected * EPOCHS


def paired(trainer, name: str) -> dict:
    """The log-probabilities of the first step's pairs, and the rewards."""
    micros = trainer.args.gradient_accumulation_steps
    found = {}
    if trainer.forwards:
        (chosen, rejected, nll), = trainer.forwards[:micros]
        found = {"chosen_logps": chosen, "rejected_logps": rejected}
        if name == "orpo":
            found["nll"] = nll
        ratios = (chosen, rejected)
    else:
        for key, reference in (("", False), ("ref_", True)):
            calls = [call["logps"].chunk(2) for call in trainer.calls if call["reference"] == reference][:micros]
            found[f"{key}chosen_logps"], found[f"{key}rejected_logps"] = (torch.cat(part) for part in zip(*calls))
        ratios = [found[f"{side}_logps"] - found[f"ref_{side}_logps"] for side in ("chosen", "rejected")]
    found["chosen_rewards"], found["rejected_rewards"] = (trainer.beta * ratio for ratio in ratios)
    return found


def unpaired(trainer) -> dict:
    """The log-probabilities of the first step's rows, its rewards and the estimate before it is clamped."""
    found = {}
    for key, reference in (("", False), ("ref_", True)):
        kl, own = [call["logps"] for call in trainer.calls if call["reference"] == reference][:2]
        found |= {f"{key}logps": own, f"{key}kl_logps": kl}
    found["rewards"] = trainer.beta * (found["logps"] - found["ref_logps"])
    found["kl_before_clamp"] = (found["kl_logps"] - found["ref_kl_logps"]).mean()
    return found


def check_references(lora: dict, full: dict) -> None:
    """Assert that both references are the model as it is, from which the adapter differs and the whole model does not."""
    for key in [key for key in lora if key.startswith("ref_")]:
        torch.testing.assert_close(lora[key], full[key], rtol=1e-6, atol=0)
        own = key.removeprefix("ref_")
        assert torch.equal(full[own], full[key]) and not torch.isclose(lora[own], lora[key], rtol=1e-3).any()


def course(name: str, rows: list, adapter: bool, micro: int):
    """A trainer after its 12 steps."""
    trainer, settings, _ = CASES[name]
    given = trainers.load_adapter(GOLDEN / ADAPTER) if adapter else None
    done = trainers.train(trainer, settings, rows, lambda: load_model(GOLDEN / CASE / "model"), given, micro)
    check_fed(done, mismatched(rows, micro) if name == "kto" else rows)
    return done


def trajectory(trainer) -> dict:
    return {"losses": trainer.step_losses(), "grad_norms": [logs["grad_norm"] for logs in trainer.logs]}


def compute(name: str, rows: list, adapter: bool) -> dict:
    _, settings, additive = CASES[name]
    single = name == "dpo-conservative"
    trainer = course(name, rows, adapter, 1 if single else BATCH)
    first = unpaired(trainer) if name == "kto" else paired(trainer, name)
    values = {"learning_rate": trainers.RATES["lora" if adapter else "full"], "loss": trainer.step_losses()[0], **first}
    expected = by_formula(name, settings, first, rows[:BATCH])
    assert abs(values["loss"] - expected) < 2e-6 * abs(expected), f"{name}: {values['loss']} is not {expected}"
    values["metrics"] = trainer.logged(0)
    values["grads"] = {
        key: {"norm": grad.norm(), "first": grad.flatten()[:8]} for key, grad in trainer.first_grads.items()
    }
    values |= trajectory(trainer)
    values["grad_norm"] = values["grad_norms"][0]
    keys = {key for logs in trainer.logs for key in logs if key in ("rewards/margins", "kl")}
    values |= {key.split("/")[-1]: [logs.get(key) for logs in trainer.logs] for key in sorted(keys)}
    if single:
        return values
    split = trajectory(course(name, rows, adapter, BATCH // 2))
    far = {key: max(abs(a / b - 1) for a, b in zip(split[key], values[key])) for key in split}
    print(name, "lora" if adapter else "full", f"{values['losses'][0]:.4f} {values['losses'][-1]:.4f}", far, flush=True)
    if additive:
        assert all(far[key] < most for key, most in CLOSE.items()), "training hangs on rounding; change the rows"
    else:
        assert far["losses"] > 1e-3
        values["in_two"] = split
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=GOLDEN)
    parser.add_argument("--only", nargs="+", help="files to write, the others stay: dpo-ipo kto")
    options = parser.parse_args()
    make_deterministic()
    for name, (trainer, settings, _) in CASES.items():
        if options.only and name not in options.only:
            continue
        rows = mismatched(judged(), BATCH) if name == "kto" else pairs()
        values = {"trainer": trainer, "settings": settings, "model": f"{CASE}/model", "adapter": ADAPTER}
        values |= {"batch": BATCH, "epochs": EPOCHS, "clip": CLIP, "examples": rows}
        fed = [{key: value for key, value in row.items() if key != "kl_completion"} for row in rows]
        values |= {"lora": compute(name, fed, True), "full": compute(name, fed, False)}
        check_references(values["lora"], values["full"])
        write_json(options.folder / "objectives" / f"{name}.json", values)


if __name__ == "__main__":
    main()
