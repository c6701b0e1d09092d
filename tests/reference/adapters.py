"""Random LoRA adapters, made and saved by peft."""

import copy
import json
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model


def attach(model, config: LoraConfig) -> PeftModel:
    """A copy of `model` with a new LoRA adapter; the model itself stays as it was."""
    return get_peft_model(copy.deepcopy(model), copy.deepcopy(config))


def random_adapter(model, seed: int, **options) -> PeftModel:
    """A copy of `model` with an adapter whose A and B are both random, so that it has an effect.

    A is normal(0, 0.2) and B normal(0, 0.1), which changes the loss by far more
    than rounding does. `options` go to `LoraConfig`.
    """
    config = LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, bias="none", **options)
    adapted = attach(model, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in lora_parameters(adapted):
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_((0.2 if ".lora_A." in name else 0.1) * noise)
    return adapted.eval()


def lora_parameters(adapted: PeftModel) -> list:
    """The trainable parameters, each with the name under which peft saves it."""
    return [
        (name.replace(".default.", "."), parameter)
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad
    ]


def save(adapted: PeftModel, folder: Path) -> None:
    """Save the adapter as peft does, less what would differ from run to run.

    peft writes the target modules in the order of a set, and adds a model card.
    """
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None  # a path of this machine
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
