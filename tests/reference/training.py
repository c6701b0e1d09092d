"""Training loops in plain torch, recording what a test compares."""

from dataclasses import dataclass, field

import torch

from batches import right_padded, supervised_tokens

BATCH = 4
CLIP = 1.0
EPOCHS = 2


@dataclass
class Trajectory:
    """Every step's loss and gradient norm before clipping, and the first step's gradients."""

    losses: list = field(default_factory=list)
    grad_norms: list = field(default_factory=list)
    first_grads: dict = field(default_factory=dict)


def loss_and_grads(model, batch: dict, parameters: list) -> tuple:
    """The mean loss of one batch, and the gradient of each (name, parameter)."""
    model.zero_grad()
    loss = model(**batch).loss
    loss.backward()
    grads = {name: parameter.grad.clone() for name, parameter in parameters}
    model.zero_grad()
    return loss.item(), grads


def train(model, parameters: list, optimizer, examples: list, accumulate: int = 1) -> Trajectory:
    """Train over the examples in order, `BATCH` a step, in `accumulate` equal micro-batches.

    The loss of a step is the sum over its supervised tokens divided by their
    number, however they are split. Learning rate constant, clipping at `CLIP`.
    """
    trajectory = Trajectory()
    tensors = [parameter for _, parameter in parameters]
    size = BATCH // accumulate
    for _ in range(EPOCHS):
        for start in range(0, len(examples), BATCH):
            step = examples[start : start + BATCH]
            micro = [right_padded(step[i : i + size]) for i in range(0, BATCH, size)]
            tokens = sum(supervised_tokens(batch["labels"]) for batch in micro)
            optimizer.zero_grad()
            total = 0.0
            for batch in micro:
                loss = model(**batch, num_items_in_batch=tokens).loss
                loss.backward()
                total += loss.item()
            if not trajectory.losses:
                trajectory.first_grads = {
                    name: parameter.grad.clone() for name, parameter in parameters
                }
            norm = torch.nn.utils.clip_grad_norm_(tensors, CLIP)
            optimizer.step()
            trajectory.losses.append(total)
            trajectory.grad_norms.append(norm.item())
    return trajectory


def mean_loss(model, examples: list[dict]) -> tuple[float, int]:
    """The mean cross-entropy over all supervised tokens of the examples, and their number."""
    total, tokens = 0.0, 0
    for start in range(0, len(examples), BATCH):
        batch = right_padded(examples[start : start + BATCH])
        with torch.no_grad():
            # Divided by 1, so the sum over the tokens of the batch.
            total += model(**batch, num_items_in_batch=1, **unbalanced(model)).loss.item()
        tokens += supervised_tokens(batch["labels"])
    return total / tokens, tokens


def unbalanced(model) -> dict:
    """The argument without which the loss of some models would also balance their experts' load."""
    balanced = getattr(model.config, "output_router_logits", False)
    return {"output_router_logits": False} if balanced else {}
