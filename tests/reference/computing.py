"""What is computed with a case's model: logits, gradients, training, adapters."""

import copy
import json
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

import adapters
import models
import training
from cases import Case
from layouts import hub_name, saved

LORA = {"r": 4, "lora_alpha": 8}
# The least change of the loss by which an adapter shows that it is applied.
VISIBLE = 3e-3
# The least difference between the probabilities of the last expert that is chosen and the first that is not.
ROUTE = 1e-5
# The most by which float32 may differ from float64.
PRECISE = 1.5e-6


def logits(model, batch: dict) -> torch.Tensor:
    with torch.no_grad():
        return model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits


def loss(model, batch: dict) -> float:
    """The mean cross-entropy of a batch, without what balances the experts' load."""
    with torch.no_grad():
        return model(**batch, **training.unbalanced(model)).loss.item()


def as_saved(model, tensors: dict) -> dict:
    """Named parameters, or their gradients, under their names in the files."""
    kind = model.config.model_type
    parts = [saved(kind, name, tensor) for name, tensor in tensors.items()]
    return {name: tensor for part in parts for name, tensor in part.items()}


def balanced(model) -> bool:
    """Whether the loss has a part that balances the experts' load."""
    return getattr(model.config, "output_router_logits", False)


def forward(model, batch: dict) -> tuple[dict, dict]:
    """Logits, loss and gradients of the base model on the [3, 12] batch."""
    value, grads = training.loss_and_grads(model, batch, list(model.named_parameters()))
    tensors = {f"grads.{name}": grad for name, grad in as_saved(model, grads).items()}
    values = {"loss": value}
    if balanced(model):
        with torch.no_grad():
            values["router_loss"] = model(**batch).aux_loss.item()
        values["cross_entropy"] = loss(model, batch)
        part = model.config.router_aux_loss_coef * values["router_loss"]
        assert abs(values["cross_entropy"] + part - value) < 1e-5 and part > 0.05
    found = logits(model, batch)
    for row, mask in enumerate(batch["attention_mask"]):
        length = int(mask.sum())
        alone = logits(model, {key: batch[key][row : row + 1, :length] for key in batch})
        torch.testing.assert_close(found[row, :length], alone[0], rtol=0, atol=1e-5)
    return values, tensors | {"logits": found}


def check_precise(model, batch: dict) -> None:
    """Assert that float32 is enough for this model's logits and gradients.

    Some random models lose digits, and then no other program could come near.
    """
    results = []
    for copied in (copy.deepcopy(model), copy.deepcopy(model).double()):
        rows = []
        # Without padding: transformers cannot mask whole rows in float64.
        for row, mask in enumerate(batch["attention_mask"]):
            part = {key: batch[key][row : row + 1, : int(mask.sum())] for key in batch}
            output = copied(**part, num_items_in_batch=1, **training.unbalanced(copied))
            output.loss.backward()
            rows.append(output.logits.flatten())
        grads = [parameter.grad.flatten() for parameter in copied.parameters()]
        results.append((torch.cat(rows).detach().double(), torch.cat(grads).double()))
    (found, found_grads), (expected, expected_grads) = results
    far = ((found - expected).abs().max() / expected.abs().max()).item()
    far_grads = ((found_grads - expected_grads).norm() / expected_grads.norm()).item()
    assert max(far, far_grads) < PRECISE, f"digits are lost: {far}, {far_grads}; change the seed"


def full_training(model, train: list) -> tuple[dict, dict]:
    """Trajectories of training every parameter, with AdamW and with SGD."""
    optimizers = {
        "full": lambda tensors: torch.optim.AdamW(tensors, lr=1e-3, weight_decay=0.01),
        "sgd": lambda tensors: torch.optim.SGD(tensors, lr=0.05, momentum=0.9),
    }

    def course(optimizer, accumulate: int):
        trained = copy.deepcopy(model)
        parameters = list(trained.named_parameters())
        tensors = [tensor for _, tensor in parameters]
        return training.train(trained, parameters, optimizer(tensors), train, accumulate)

    values = {}
    for name, optimizer in optimizers.items():
        trajectory = course(optimizer, 1)
        if not balanced(model):
            check_close(course(optimizer, 2), trajectory)
        values[f"{name}_losses"] = trajectory.losses
        values[f"{name}_grad_norms"] = trajectory.grad_norms
    return values, {}


def check_close(split, whole) -> None:
    """Assert that a step's examples are trained on in parts as they are together.

    Rounding differs, and grows with the steps: what a test compares must not
    hang on it.
    """
    for found, expected, most in (
        (split.losses, whole.losses, 5e-6),
        (split.grad_norms, whole.grad_norms, 3e-5),
    ):
        far = [abs(a / b - 1) for a, b in zip(found, expected)]
        assert far[0] < 1e-6 and max(far) < most, f"training hangs on rounding: {far}"


def lora(case: Case, model, batch: dict, train: list, folder: Path) -> tuple[dict, dict]:
    """The adapter `lora/`: its loss on the batch, merged too, and its training.

    Mixtral has another one, `lora_gate/`, which adapts the routers, too.
    """
    values, tensors = lora_course(case, model, batch, train, folder, "lora")
    if case.config.model_type == "mixtral":
        more = lora_course(case, model, batch, train, folder, "lora_gate")
        values, tensors = values | more[0], tensors | more[1]
    return values, tensors


def lora_course(case: Case, model, batch, train, folder: Path, name: str) -> tuple[dict, dict]:
    adapted = first_adapter(case, model, name)
    adapters.save(adapted, folder / name)
    if name == "lora_gate":
        as_on_hub(folder / name)
        again = PeftModel.from_pretrained(copy.deepcopy(model), str(folder / name)).eval()
        assert torch.equal(logits(again, batch), logits(adapted, batch))
    merged = copy.deepcopy(adapted).merge_and_unload()
    values = {f"{name}_loss": loss(adapted, batch)}
    merged_loss = loss(merged, batch)
    if name == "lora":
        values["merged_loss"] = merged_loss
    assert abs(values[f"{name}_loss"] - merged_loss) < 1e-5
    assert abs(values[f"{name}_loss"] - loss(model, batch)) > VISIBLE
    tensors = {f"{name}_logits": logits(adapted, batch)}

    trajectory, trained, end = lora_training(case, model, name, train)
    assert end < training.mean_loss(adapted, train)[0], "training does not help; change the seed"
    if not balanced(model):
        accumulated, *_ = lora_training(case, model, name, train, accumulate=2)
        check_close(accumulated, trajectory)
    values[f"{name}_losses"] = trajectory.losses
    values[f"{name}_grad_norms"] = trajectory.grad_norms
    for key, grad in trajectory.first_grads.items():
        tensors[f"{name}_grads.{hub_name(key)}"] = grad
    for key, parameter in trained:
        tensors[f"{name}_final.{hub_name(key)}"] = parameter
    return values, tensors


def as_on_hub(folder: Path) -> None:
    """Name what a Mixtral adapter adapts as the model's files do, and as adapters on the hub do.

    peft 0.21 reads such adapters, but writes names that transformers 5 has in memory only.
    """
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    assert config["target_parameters"] == ["gate.weight"]
    config["target_parameters"] = None
    config["target_modules"] = sorted([*config["target_modules"], "gate"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    path = folder / "adapter_model.safetensors"
    tensors = {hub_name(name): tensor for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})


def first_adapter(case: Case, model, name: str = "lora"):
    """The adapter of `lora/` or `lora_gate/`, new each time, on a copy of the model."""
    targets, seed = list(case.family.targets), case.seed + 100
    if name == "lora_gate":
        targets, seed = [*targets, "gate"], case.seed + 150
    return adapters.random_adapter(model, seed, target_modules=targets, **LORA)


def lora_training(case: Case, model, name: str, train: list, accumulate: int = 1):
    """The trajectory of training an adapter, and its parameters and the mean loss afterwards."""
    adapted = first_adapter(case, model, name)
    parameters = adapters.lora_parameters(adapted)
    optimizer = torch.optim.AdamW(
        [tensor for _, tensor in parameters],
        lr=1e-2,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.01,
    )
    trajectory = training.train(adapted, parameters, optimizer, train, accumulate)
    return trajectory, parameters, training.mean_loss(adapted, train)[0]


def lora_variants(case: Case, model, batch: dict, folder: Path) -> tuple[dict, dict]:
    """Adapters with other settings, each saved in a folder of its own, and their losses."""
    targets = case.family.targets
    variants = {
        "lora_rs": {"target_modules": targets, "use_rslora": True},
        "lora_layers": {"target_modules": targets, "layers_to_transform": [1]},
    }
    if case.family.regex is not None:
        variants["lora_regex"] = {"target_modules": case.family.regex}
    values = {}
    for number, (name, options) in enumerate(variants.items()):
        adapted = adapters.random_adapter(model, case.seed + 200 + number, **options, **LORA)
        adapters.save(adapted, folder / name)
        values[f"{name}_loss"] = loss(adapted, batch)
        assert abs(values[f"{name}_loss"] - loss(model, batch)) > VISIBLE
    return values, {}


def long(folder: Path, ids: list) -> tuple[dict, dict]:
    """Logits of one sequence beyond the positions that the model was first made for.

    The model is a fresh one: with dynamic scaling, transformers' depend on the lengths that it has seen.
    """
    model = models.load_model(folder)
    with torch.no_grad():
        return {"long_ids": ids}, {"long_logits": model(input_ids=torch.tensor([ids])).logits}


@contextmanager
def clear_routes(model):
    """Assert that no choice of experts is decided by what rounding could change."""
    margins, hooks = [], []

    def record(router, _, output):
        chances = output[0].float().softmax(-1).sort(-1, descending=True).values
        margins.append((chances[:, router.top_k - 1] - chances[:, router.top_k]).min().item())

    # Copies of the model have the hooks, too.
    for name, module in model.named_modules():
        if name.endswith(".mlp.gate"):
            hooks.append(module.register_forward_hook(record))
    yield
    for hook in hooks:
        hook.remove()
    least = min(margins, default=1.0)
    assert least > ROUTE, f"an expert is chosen by {least}; change the seed"
