"""Writes losses and training of distillation: python distillation.py [FOLDER] [--only NAMES]

FOLDER defaults to `golden` next to this script's folder; the files are in `objectives/`, described in
tests/golden/README.md. The divergences are written out here and compared with TRL's.
"""

import argparse
import os
from pathlib import Path

import torch
import torch.nn.functional as F

import objectives
from batches import right_padded
from environment import make_deterministic
from models import load_model
from training import BATCH

TEACHER = "qwen2/plain/model"

# `temperature` divides the logits of both models. `alpha` is the divergence's share of the loss.
CASES = {
    "distillation-forward": {"divergence": "forward-kl", "temperature": 2.0, "alpha": 0.5},
    "distillation-reverse": {"divergence": "reverse-kl", "temperature": 1.5, "alpha": 0.7},
    "distillation-jsd": {"divergence": "jsd", "beta": 0.3, "temperature": 2.0, "alpha": 0.5},
    "distillation-alone": {"divergence": "forward-kl", "temperature": 1.0, "alpha": 1.0},
    "distillation-top": {"divergence": "forward-kl", "top_k": 8, "temperature": 2.0, "alpha": 0.5},
    "distillation-top-alone": {"divergence": "forward-kl", "top_k": 8, "temperature": 1.0, "alpha": 1.0},
}


def kl(p, q):
    """KL(p ‖ q) of log-probabilities, for each row."""
    return (p.exp() * (p - q)).sum(-1)


def buckets(logps, top):
    """Log-probabilities of the tokens `top`, and of all others together."""
    kept = logps.gather(-1, top)
    others = logps.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
    return torch.cat([kept, others], -1)


def divergence(settings: dict, teacher, student):
    """The divergence of each token's distributions, given logits."""
    teacher = F.log_softmax(teacher / settings["temperature"], -1)
    student = F.log_softmax(student / settings["temperature"], -1)
    if "top_k" in settings:
        top = teacher.topk(settings["top_k"]).indices
        teacher, student = buckets(teacher, top), buckets(student, top)
    if settings["divergence"] == "forward-kl":
        return kl(teacher, student)
    if settings["divergence"] == "reverse-kl":
        return kl(student, teacher)
    # JSD(β) of arXiv:2306.13649: both are compared with β·teacher + (1 − β)·student.
    beta = torch.tensor(settings["beta"])
    mixture = torch.logaddexp(teacher + beta.log(), student + (1 - beta).log())
    return beta * kl(teacher, mixture) + (1 - beta) * kl(student, mixture)


def check_trl(settings: dict, teacher, student, found) -> None:
    """Assert that TRL computes the same divergence."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    from trl.experimental.gkd import GKDTrainer

    beta = {"forward-kl": 0, "reverse-kl": 1}.get(settings["divergence"], settings.get("beta"))
    expected = GKDTrainer.generalized_jsd_loss(
        student[None], teacher[None], beta=beta, temperature=settings["temperature"], reduction="sum"
    )
    torch.testing.assert_close(found.sum(), expected, rtol=1e-5, atol=0)


def by_row(values, rows) -> list:
    """Values of supervised tokens, as a list for each row of the batch."""
    return [values[rows == row].tolist() for row in range(BATCH)]


def losses(settings: dict, teacher):
    alpha, scale = settings["alpha"], settings["temperature"] ** 2

    def parts(model, batch: dict, _) -> tuple:
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
        with torch.no_grad():
            given, *_ = objectives.scored(teacher(**inputs).logits, batch["labels"])
        logits, labels, _ = objectives.scored(model(**inputs).logits, batch["labels"])
        entropy = F.cross_entropy(logits, labels, reduction="sum")
        apart = divergence(settings, given, logits).sum()
        loss = (1 - alpha) * entropy + alpha * scale * apart
        return loss, {"cross_entropy": entropy.detach(), "divergence": apart.detach()}, len(labels)

    return parts


def first_batch(settings: dict, teacher) -> dict:
    """The teacher's part of the first batch: the divergences at the start, and its likeliest tokens."""
    batch = right_padded(objectives.examples()[:BATCH])
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        given, _, rows = objectives.scored(teacher(**inputs).logits, batch["labels"])
        found = {}
        for kind in objectives.RATES:
            student, *_ = objectives.scored(objectives.start(kind)[0](**inputs).logits, batch["labels"])
            apart = divergence(settings, given, student)
            if "top_k" in settings:
                # What is put together in one number can only hide differences.
                whole = divergence({**settings, "top_k": given.shape[-1] - 1}, given, student)
                assert (apart < whole).all()
            else:
                check_trl(settings, given, student, apart)
            found[f"{kind}_divergences"] = by_row(apart, rows)
        if "top_k" in settings:
            top = F.log_softmax(given / settings["temperature"], -1).topk(settings["top_k"])
            found |= {"top_ids": by_row(top.indices, rows), "top_logps": by_row(top.values, rows)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=objectives.GOLDEN)
    parser.add_argument("--only", nargs="+", help="files to write, the others stay: distillation-jsd")
    options = parser.parse_args()
    make_deterministic()
    teacher = load_model(objectives.GOLDEN / TEACHER)
    for name, settings in CASES.items():
        if options.only and name not in options.only:
            continue
        more = {"teacher": TEACHER, **first_batch(settings, teacher)}
        objectives.write(options.folder, name, settings, more, losses(settings, teacher))


if __name__ == "__main__":
    main()
