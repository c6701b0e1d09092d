"""Writes what optimizers of other libraries compute: python optimizers.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the files are in `optimizers/`, described in
tests/golden/README.md.
"""

import argparse
import inspect
import json
from pathlib import Path

import bitsandbytes as bnb
import bitsandbytes.backends.cpu.ops as on_processor
import numpy
import torch
import torch.optim._muon as muon
from peft import PeftModel
from transformers import Adafactor, Trainer

import training
from computing import as_saved
from environment import make_deterministic
from models import load_model
from output import write_json, write_tensors

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
STEPS = 6
SHAPES = {"matrix": [70, 61], "tall": [6, 4], "wide": [3, 5], "vector": [13]}
DECAYING = {
    "llama/plain": [None, "llama_dora", "llama_lora_bias", "llama_ia3"],
    "gpt2/plain": [None],
    "gpt_neox/parallel": [None, "gpt_neox_lora_bias"],
    "gemma2/plain": [None],
}


def quantize(numbers, code, blocksize):
    """bitsandbytes' quantization in PyTorch, to the nearest code.

    That of its library for the processor looks small numbers up in a coarse table: 3e-6 of a block's largest number
    becomes 1.6e-5 although the code has 2.1e-6.
    """
    flat = numbers.reshape(-1)
    absmax = torch.stack([block.abs().max() for block in flat.split(blocksize)])
    scaled = torch.cat([block / most.clamp(min=1e-38) for block, most in zip(flat.split(blocksize), absmax)])
    bounds = (code[:-1] + code[1:]) / 2
    return torch.bucketize(scaled, bounds).to(torch.uint8).reshape(numbers.shape), absmax


def store(numbers, code, absmax_out, out, blocksize):
    codes, absmax = quantize(numbers, code, blocksize)
    out.copy_(codes)
    absmax_out.copy_(absmax)


def patch():
    on_processor._quant_blockwise_fp32_direct = store
    # Muon's iteration in 32 bits.
    source = inspect.getsource(muon._zeropower_via_newtonschulz).replace("torch.bfloat16", "torch.float32")
    exec(source, muon.__dict__)


class MuonAndAdamW:
    """Muon for matrices, and AdamW for the rest."""

    def __init__(self, named, adamw_lr, **settings):
        table = lambda name: "embed" in name or "lm_head" in name
        matrices = [p for name, p in named if p.ndim == 2 and not table(name)]
        rest = [p for name, p in named if p.ndim != 2 or table(name)]
        decay = settings["weight_decay"]
        self.parts = [torch.optim.Muon(matrices, **settings)]
        if rest:
            self.parts.append(torch.optim.AdamW(rest, lr=adamw_lr, weight_decay=decay))

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad()

    def step(self):
        for part in self.parts:
            part.step()


def only(make):
    return lambda named: make([parameter for _, parameter in named])


# Name, plugin, options in a recipe, and the optimizer of named parameters. All parameters decay.
CASES = [
    ("lion", "lion", {"learning_rate": 1e-2, "betas": [0.85, 0.95], "weight_decay": 0.1},
     only(lambda p: bnb.optim.Lion(p, lr=1e-2, betas=(0.85, 0.95), weight_decay=0.1))),
    ("adamw-8bit", "adamw-8bit",
     {"learning_rate": 1e-2, "betas": [0.8, 0.95], "epsilon": 1e-6, "weight_decay": 0.1, "min_size": 20},
     only(lambda p: bnb.optim.AdamW8bit(p, lr=1e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, min_8bit_size=20))),
    ("adafactor", "adafactor", {"learning_rate": 1e-2},
     only(lambda p: Adafactor(p, lr=1e-2, scale_parameter=False, relative_step=False))),
    ("adafactor, relative", "adafactor", {"relative_step": True, "scale_parameter": True, "weight_decay": 0.1},
     only(lambda p: Adafactor(p, weight_decay=0.1))),
    ("adafactor, momentum", "adafactor",
     {"learning_rate": 1e-2, "beta1": 0.9, "weight_decay": 0.1, "clip_threshold": 0.5, "decay_rate": -0.6,
      "epsilon": [1e-6, 1e-2]},
     only(lambda p: Adafactor(p, lr=1e-2, beta1=0.9, weight_decay=0.1, clip_threshold=0.5, decay_rate=-0.6,
                              eps=(1e-6, 1e-2), scale_parameter=False, relative_step=False))),
    ("muon", "muon", {"learning_rate": 1e-2, "weight_decay": 0.1, "adamw_learning_rate": 2e-3},
     lambda named: MuonAndAdamW(named, 2e-3, lr=1e-2, weight_decay=0.1)),
    ("muon, plain", "muon",
     {"learning_rate": 1e-3, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "adjustment": "match-rms-adamw"},
     lambda named: MuonAndAdamW(named, 1e-3, lr=1e-3, weight_decay=0.0, momentum=0.9, nesterov=False,
                                adjust_lr_fn="match_rms_adamw")),
]


def numbers(shape, seed):
    """Numbers of many magnitudes that the tests make, too: cubes of what a linear congruential generator gives."""
    count = int(numpy.prod(shape))
    out = numpy.empty(count, dtype=numpy.float32)
    state = seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = numpy.float32(state >> 8) / numpy.float32(1 << 23) - numpy.float32(1)
    return torch.from_numpy(out * out * out).reshape(shape)


def steps(make):
    """Where each parameter is after the steps."""
    named = [(name, torch.nn.Parameter(numbers(shape, 7))) for name, shape in SHAPES.items()]
    optimizer = make(named)
    for step in range(STEPS):
        for _, parameter in named:
            parameter.grad = numbers(parameter.shape, 100 + step)
        optimizer.step()
    return dict(named)


def course(make):
    root = GOLDEN / "llama/plain"
    examples = json.loads((root / "train.json").read_text())["examples"]
    model = load_model(root / "model")
    named = list(model.named_parameters())
    return training.train(model, named, make(named), examples)


def decaying(case, adapter):
    """Names of the parameters that decay with the Trainer of transformers, and of the others."""
    model = load_model(GOLDEN / case / "model")
    if adapter:
        model = PeftModel.from_pretrained(model, str(GOLDEN / "methods" / adapter), is_trainable=True)
    names = Trainer.get_decay_parameter_names(None, model)
    if adapter:
        # As peft saves them.
        saved = lambda name: name.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector")
        found = {saved(name): name in names for name, p in model.named_parameters() if p.requires_grad}
    else:
        marked = {name: torch.full_like(p, float(name in names)) for name, p in model.named_parameters()}
        found = {name: bool(p.flatten()[0]) for name, p in as_saved(model, marked).items()}
    assert any(found.values())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=GOLDEN)
    folder = parser.parse_args().folder / "optimizers"
    make_deterministic()
    patch()
    cases, tensors = [], {}
    for name, plugin, options, make in CASES:
        tensors |= {f"{name}/{parameter}": value for parameter, value in steps(make).items()}
        trajectory = course(make)
        cases.append({
            "name": name, "plugin": plugin, "options": options | {"decay": "all"},
            "losses": trajectory.losses, "grad_norms": trajectory.grad_norms,
        })
    code = {kind: bnb.functional.create_dynamic_map(signed=kind == "signed") for kind in ("signed", "unsigned")}
    sample = numbers([700], 11)
    coded = {kind: quantize(sample if kind == "signed" else sample.abs(), code[kind], 256) for kind in code}
    values = {
        "shapes": SHAPES, "steps": STEPS, "cases": cases,
        "tables": code,
        "codes": {kind: {"codes": found[0].tolist(), "absmax": found[1]} for kind, found in coded.items()},
        "decaying": [
            {"case": case, "adapter": adapter, "decays": decaying(case, adapter)}
            for case, adapters in DECAYING.items() for adapter in adapters
        ],
    }
    write_json(folder / "expected.json", values)
    write_tensors(folder / "expected.safetensors", tensors)


if __name__ == "__main__":
    main()
