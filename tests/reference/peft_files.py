"""Writes adapters as peft saves them with settings of many kinds: python peft_files.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; each adapter is a
folder in `peft/`, for the model of `llama/plain`, and `peft/expected.json` has
the loss of each on that case's batch.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

import adapters
from computing import LORA, VISIBLE, loss
from environment import make_deterministic
from models import load_model
from output import write_json

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CASE = GOLDEN / "llama/plain"

TWO = ["q_proj", "v_proj"]
VARIANTS = {
    # One of the targets is no module of this model.
    "unmatched": {"target_modules": [*TWO, "c_attn"]},
    "look_around": {"target_modules": r"model\.layers\.(?!0\.)\d+\.self_attn\.(q|v)_proj"},
    "layers_pattern": {"target_modules": TWO, "layers_to_transform": [1], "layers_pattern": "layers"},
    # PEFT looks at no layer of a module that is spelled out.
    "spelled_out": {"target_modules": ["model.layers.0.self_attn.o_proj", "v_proj"], "layers_to_transform": [1]},
    "exclude": {"target_modules": "all-linear", "exclude_modules": ["layers.0.self_attn.q_proj", "mlp.up_proj"]},
    "exclude_pattern": {"target_modules": TWO, "exclude_modules": r".*\.1\..*v_proj"},
    "patterns": {
        "target_modules": [*TWO, "down_proj"],
        "rank_pattern": {"v_proj": 2, r"layers\.[01]\.mlp.*": 3},
        "alpha_pattern": {"layers.1.self_attn.q_proj": 3, "down_proj": 1.5},
    },
    "patterns_rs": {"target_modules": TWO, "rank_pattern": {"0.self_attn.q_proj": 2}, "use_rslora": True},
    "modules_to_save": {"target_modules": TWO, "modules_to_save": ["lm_head", "embed_tokens"]},
    # What lies in a module that is saved is not adapted.
    "modules_in_modules": {"target_modules": [*TWO, "up_proj"], "modules_to_save": ["layers.1.mlp"]},
    "embeddings": {"target_modules": TWO},
    "no_dropout": {"target_modules": TWO},
    "named_default": {"target_modules": TWO},
}


def disturb(adapted, names) -> None:
    """Change the parameters whose names contain one of `names`."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if any(part in name for part in names):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def write_adapter(model, name: str, number: int, options: dict, folder: Path) -> float:
    """Save an adapter and return its loss, which peft's own reading of the folder must have, too."""
    adapted = adapters.random_adapter(model, 500 + number, **options, **LORA)
    batch = {key: torch.tensor(rows) for key, rows in json.loads((CASE / "expected.json").read_text())["batch"].items()
             if key != "supervised_tokens"}
    # Random noise has replaced what peft copies from the model.
    if "modules_to_save" in options:
        with torch.no_grad():
            for key, parameter in adapted.named_parameters():
                if ".modules_to_save.default." in key:
                    parameter.copy_(adapted.get_parameter(key.replace("modules_to_save.default", "original_module")))
        disturb(adapted, [".modules_to_save.default."])
    if name == "embeddings":
        disturb(adapted, ["embed_tokens", "lm_head"])
        adapted.save_pretrained(folder, save_embedding_layers=True)
    adapters.save(adapted, folder) if name != "embeddings" else (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None  # a path of this machine
    if name == "no_dropout":
        del config["lora_dropout"]
    for key in ("target_modules", "exclude_modules", "modules_to_save"):
        if isinstance(config[key], list):
            config[key].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if name == "named_default":
        file = folder / "adapter_model.safetensors"
        tensors = {key.replace(".weight", ".default.weight"): tensor for key, tensor in load_file(file).items()}
        save_file(tensors, file, metadata={"format": "pt"})
    again = PeftModel.from_pretrained(load_model(CASE / "model"), str(folder)).eval()
    value = loss(adapted, batch)
    assert loss(again, batch) == value, f"peft reads {name} otherwise than it wrote it"
    assert abs(value - loss(model, batch)) > VISIBLE
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=GOLDEN)
    folder = parser.parse_args().folder / "peft"
    make_deterministic()
    shutil.rmtree(folder, ignore_errors=True)
    model = load_model(CASE / "model")
    losses = {
        name: write_adapter(model, name, number, options, folder / name)
        for number, (name, options) in enumerate(VARIANTS.items())
    }
    write_json(folder / "expected.json", losses)


if __name__ == "__main__":
    main()
