"""Writes the golden data of the model families: python families.py [FOLDER] [--only FAMILY[/CASE] …]

FOLDER defaults to `golden` next to this script's folder. cases.py has the
models, tests/golden/README.md describes what is written.
"""

import argparse
import copy
import json
import random
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import batches
import computing
import decoded
import models
from cases import Case, cases
from environment import make_deterministic
from layouts import hub_config, saved
from output import write_json, write_tensors

LENGTHS = (12, 9, 5)
# Prompt lengths of the [3, 12] batch; a row without a prompt is supervised from its first label on.
PROMPTS = (4, 0, 2)


def write_case(case: Case, folder: Path) -> None:
    """Write everything about one case into `folder`, replacing what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    rng = random.Random(case.seed)
    vocab = case.config.vocab_size
    batch_examples = [
        batches.random_example(rng, length, prompt, vocab)
        for length, prompt in zip(LENGTHS, PROMPTS)
    ]
    batch = batches.right_padded(batch_examples)
    train = batches.random_examples(rng, 24, vocab)
    prompts = [batches.random_ids(rng, length, vocab) for length in case.prompts]
    model = models.random_model(case.config, case.seed, case.layer_std, case.table_std)
    extra = random.Random(case.seed + 1)

    values = {
        "batch": batch | {"supervised_tokens": batches.supervised_tokens(batch["labels"])},
    }
    tensors = dict(batch)
    save_model(case, model, batch, folder)
    # First what most seeds fail at.
    computing.check_precise(model, batch)
    with computing.clear_routes(model):
        greedy = decoded.decoding(case, model, prompts)
    searched = decoded.beams(model, prompts)
    with computing.clear_routes(model):
        parts = [
            computing.forward(model, batch),
            computing.full_training(model, train),
            computing.lora(case, model, batch, train, folder),
            computing.lora_variants(case, model, batch, folder),
            greedy,
        ]
    if case.rounded:
        parts.append(rounded(model, batch, folder))
    parts.append(searched)
    if case.long is not None:
        long = batches.random_ids(extra, case.long, vocab)
        parts.append(computing.long(folder / "model", long))
    if case.crossing is not None:
        prompt = batches.random_ids(extra, case.crossing, vocab)
        parts.append(decoded.crossing(model, prompt))
    for more_values, more_tensors in parts:
        values |= more_values
        tensors |= more_tensors
    write_json(folder / "train.json", {"examples": train})
    write_json(folder / "expected.json", values)
    write_tensors(folder / "expected.safetensors", tensors)


def save_model(case: Case, model, batch: dict, folder: Path) -> None:
    """Save the base model in `model/` and check that it loads back to the same logits."""
    target = folder / "model"
    if case.shard_size is None:
        model.save_pretrained(target)
    else:
        model.save_pretrained(target, max_shard_size=case.shard_size)
        assert len(list(target.glob("model-*.safetensors"))) >= 2
    check_loads(target, model, batch)
    check_names(target, model)
    if case.hub_config:
        path = target / "config.json"
        nested = json.loads(path.read_text())
        path.rename(folder / "config_nested.json")
        hub = hub_config(nested, case.hub_extras)
        path.write_text(json.dumps(hub, indent=2, sort_keys=True) + "\n")
        check_loads(target, model, batch)


def check_loads(folder: Path, model, batch: dict) -> None:
    """Assert that the model in `folder` gives the very logits of `model`."""
    again = computing.logits(models.load_model(folder), batch)
    assert torch.equal(again, computing.logits(model, batch))


def check_names(folder: Path, model) -> None:
    """Assert that `layouts.saved` gives every parameter as the files have it, and nothing else."""
    files = [load_file(path) for path in folder.glob("*.safetensors")]
    found = {name: tensor for file in files for name, tensor in file.items()}
    expected = computing.as_saved(model, dict(model.named_parameters()))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def rounded(model, batch: dict, folder: Path) -> tuple[dict, dict]:
    """The model saved with rounded weights; logits and loss computed from those in float32.

    The float16 one resembles the Pythia files on the hub in that it also has
    the buffers that old versions of transformers saved.
    """
    values, tensors = {}, {}
    for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        target = folder / f"model_{name}"
        copy.deepcopy(model).to(dtype).save_pretrained(target)
        loaded = models.load_model(target)
        tensors[f"logits_{name}"] = computing.logits(loaded, batch)
        values[f"loss_{name}"] = computing.loss(loaded, batch)
        if dtype is torch.float16:
            add_old_buffers(target / "model.safetensors", model.config)
            check_loads(target, loaded, batch)
    return values, tensors


def add_old_buffers(path: Path, config) -> None:
    """Add to a GPT-NeoX weights file the buffers of old checkpoints, which a reader has to ignore."""
    tensors = load_file(path)
    positions = config.max_position_embeddings
    mask = torch.ones(positions, positions).tril().view(1, 1, positions, positions)
    rotary = config.hidden_size // config.num_attention_heads // 4
    for layer in range(config.num_hidden_layers):
        attention = f"gpt_neox.layers.{layer}.attention"
        # Both element types are found on the hub.
        tensors[f"{attention}.bias"] = mask.to((torch.bool, torch.uint8)[layer % 2])
        tensors[f"{attention}.masked_bias"] = torch.tensor(-1e9)
        tensors[f"{attention}.rotary_emb.inv_freq"] = 10000.0 ** -(
            torch.arange(0, rotary, 2) / rotary
        )
    save_file(tensors, path, metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parent.parent / "golden"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--only", nargs="+", help="families or cases: llama, mixtral/one")
    options = parser.parse_args()
    make_deterministic()
    for case in cases():
        family = case.config.model_type
        name = f"{family}/{case.name}"
        if options.only is None or family in options.only or name in options.only:
            print(name, flush=True)
            write_case(case, options.folder / name)


if __name__ == "__main__":
    main()
