"""Training with other losses than the mean cross-entropy, and what a test compares of it."""

import json
from pathlib import Path

import torch
from peft import PeftModel

import adapters
from batches import IGNORED, right_padded
from models import load_model
from output import write_json
from training import BATCH, CLIP, EPOCHS, Trajectory

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CASE = "llama/plain"
ADAPTER = f"{CASE}/lora"
RATES = {"lora": 1e-2, "full": 1e-3}
# The most by which a step in two micro-batches may differ from one in a single batch.
CLOSE = {"losses": 1e-5, "grad_norms": 1e-4}


def examples() -> list:
    return json.loads((GOLDEN / CASE / "train.json").read_text())["examples"]


def scored(logits, labels) -> tuple:
    """Logits that predict a supervised token, that token, and the row that each is in."""
    labels = labels[:, 1:]
    mask = labels != IGNORED
    return logits[:, :-1][mask], labels[mask], mask.nonzero()[:, 0]


def start(kind: str) -> tuple:
    """A model with what is trained of it."""
    model = load_model(GOLDEN / CASE / "model")
    if kind == "full":
        return model, list(model.named_parameters())
    adapted = PeftModel.from_pretrained(model, str(GOLDEN / ADAPTER), is_trainable=True).eval()
    return adapted, adapters.lora_parameters(adapted)


def train(kind: str, parts, rows: list, micro: int) -> tuple:
    """The trajectory of 12 steps, `micro` of a step's rows at a time, and the first step's parts of the loss.

    `parts(model, batch, numbers)` gives, summed over the supervised tokens of the rows with these numbers, the loss,
    its parts by name, and what to divide all of them by, once they are summed over the step.
    """
    model, parameters = start(kind)
    tensors = [parameter for _, parameter in parameters]
    optimizer = torch.optim.AdamW(tensors, lr=RATES[kind], betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    trajectory, first = Trajectory(), {}
    for _ in range(EPOCHS):
        for at in range(0, len(rows), BATCH):
            groups = [list(range(i, i + micro)) for i in range(at, at + BATCH, micro)]
            optimizer.zero_grad()
            found = [parts(model, right_padded([rows[i] for i in group]), group) for group in groups]
            divisor = sum(count for *_, count in found)
            loss = sum(total for total, *_ in found) / divisor
            loss.backward()
            if not trajectory.losses:
                trajectory.first_grads = {name: parameter.grad.clone() for name, parameter in parameters}
                first = {key: sum(split[key] for _, split, _ in found) / divisor for key in found[0][1]}
            norm = torch.nn.utils.clip_grad_norm_(tensors, CLIP)
            optimizer.step()
            trajectory.losses.append(loss.item())
            trajectory.grad_norms.append(norm.item())
    return trajectory, first


def compute(name: str, kind: str, parts, rows: list) -> dict:
    """What a file holds of training `kind`: an adapter or all parameters."""
    found, first = train(kind, parts, rows, BATCH)
    split, _ = train(kind, parts, rows, BATCH // 2)
    values = {"losses": found.losses, "grad_norms": found.grad_norms}
    pairs = {key: zip(getattr(split, key), values[key]) for key in values}
    far = {key: max(abs(a / b - 1) for a, b in pair) for key, pair in pairs.items()}
    print(name, kind, f"{found.losses[0]:.4f} {found.losses[-1]:.4f}", far, flush=True)
    assert all(far[key] < most for key, most in CLOSE.items()), "training hangs on rounding; change the settings"
    grads = {key: {"norm": grad.norm(), "first": grad.flatten()[:8]} for key, grad in found.first_grads.items()}
    numbers = {"learning_rate": RATES[kind], "loss": found.losses[0], **first, "grad_norm": found.grad_norms[0]}
    return numbers | {"grads": grads} | values


def write(folder: Path, name: str, settings: dict, more: dict, parts) -> None:
    """The file of an objective; `more` is what it has besides settings and results."""
    values = {"settings": settings, "model": f"{CASE}/model", "adapter": ADAPTER, "data": f"{CASE}/train.json"}
    values |= {"batch": BATCH, "epochs": EPOCHS, "clip": CLIP, **more}
    values |= {kind: compute(name, kind, parts, examples()) for kind in RATES}
    write_json(folder / "objectives" / f"{name}.json", values)
