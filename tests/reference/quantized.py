"""Writes what bitsandbytes makes of weights: python quantized.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder. `quantized/blocks.json`
and `blocks.safetensors` have tensors of several shapes with their packed codes,
their scales and what they are read back as; `quantized/expected.json` has the loss
of small models whose projections are quantized so, and the losses and gradient
norms of a LoRA adapter that is trained on them. Each adapter's start is a folder.
"""

import argparse
import copy
import json
import shutil
from pathlib import Path

import bitsandbytes.functional as bnb
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

import training
from computing import VISIBLE, loss
from environment import make_deterministic
from methods import attach, save, trained
from models import load_model
from output import write_json, write_tensors

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
KINDS = [("nf4", False), ("nf4", True), ("fp4", False), ("fp4", True)]
LORA = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"}
MODELS = {
    "llama/plain": ("nf4", True, ["q_proj", "v_proj", "down_proj"]),
    "qwen2/plain": ("nf4", True, ["q_proj", "k_proj", "v_proj"]),
    "mistral/window": ("fp4", True, ["q_proj", "gate_proj"]),
    "phi3/short": ("nf4", False, ["qkv_proj", "down_proj"]),
}


def inputs() -> dict:
    generator = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    ties = torch.tensor([[-1.0, 1.0, 0.5, -0.5, 0.25, 0.0, -0.0, 0.125] * 8] * 2)
    return {
        "whole blocks": 0.02 * normal(8, 64),
        "a short last block": normal(5, 37),
        "an odd number": normal(3, 7),
        # More than 256 blocks, so that scales have several blocks of their own.
        "blocks of scales": normal(130, 160) * torch.logspace(-3, 1, 130).unsqueeze(1),
        "a block of zeros": torch.cat([torch.zeros(1, 64), normal(1, 64)]),
        "values between codes": ties,
        "one value": torch.full((1, 1), -0.3),
    }


def blocks(folder: Path) -> None:
    values, tensors = {}, {}
    for name, weight in inputs().items():
        tensors[name] = weight
        values[name] = {}
        for kind, double in KINDS:
            packed, state = bnb.quantize_4bit(weight, blocksize=64, quant_type=kind, compress_statistics=double)
            key = f"{kind}{' double' if double else ''}"
            entry = {"packed": packed.flatten().tolist()}
            if double:
                entry["codes"] = state.absmax.tolist()
                entry["absmax"] = state.state2.absmax
                entry["offset"] = state.offset
            else:
                entry["absmax"] = state.absmax
            values[name][key] = entry
            tensors[f"{name}: {key}"] = bnb.dequantize_4bit(packed, state)
    values["tables"] = {
        "nf4": bnb.get_4bit_type("nf4", device="cpu"),
        "fp4": bnb.get_4bit_type("fp4", device="cpu"),
        "scales": bnb.create_dynamic_map(),
    }
    write_json(folder / "blocks.json", values)
    write_tensors(folder / "blocks.safetensors", tensors)


def quantized(folder: Path, kind: str, double: bool):
    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=double,
        bnb_4bit_compute_dtype=torch.float32,
    )
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=config, device_map="cpu", attn_implementation="eager",
    ).eval()


def write(case: str, number: int, folder: Path) -> dict:
    kind, double, targets = MODELS[case]
    root = GOLDEN / case
    batch = json.loads((root / "expected.json").read_text())["batch"]
    batch = {key: torch.tensor(rows) for key, rows in batch.items() if key != "supervised_tokens"}
    examples = json.loads((root / "train.json").read_text())["examples"]
    # The start of the adapter, saved for the model as it is: what it is attached to does not matter.
    config = LoraConfig(target_modules=targets, **LORA)
    start = attach(load_model(root / "model"), config, 900 + number)
    # Whatever folder this machine has it in.
    start.peft_config["default"].base_model_name_or_path = f"tests/golden/{case}/model"
    save(start, folder)
    model = quantized(root / "model", kind, double)
    values = {"case": case, "kind": kind, "double": double, "loss": loss(model, batch)}
    difference = abs(values["loss"] - loss(load_model(root / "model"), batch))
    assert difference > VISIBLE / 10, f"{case}: quantization has no effect"
    adapted = get_peft_model(model, copy.deepcopy(config))
    weights = dict(trained(start))
    with torch.no_grad():
        for name, parameter in trained(adapted):
            parameter.copy_(weights[name])
    adapted.eval()
    values["adapted"] = loss(adapted, batch)
    parameters = trained(adapted)
    optimizer = torch.optim.AdamW([tensor for _, tensor in parameters], lr=1e-2, weight_decay=0.01)
    course = training.train(adapted, parameters, optimizer, examples)
    return values | {"losses": course.losses, "grad_norms": course.grad_norms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=GOLDEN)
    folder = parser.parse_args().folder / "quantized"
    make_deterministic()
    shutil.rmtree(folder, ignore_errors=True)
    blocks(folder)
    values = {}
    for number, case in enumerate(MODELS):
        name = case.replace("/", "_")
        print(name, flush=True)
        values[name] = write(case, number, folder / name)
    write_json(folder / "expected.json", values)


if __name__ == "__main__":
    main()
