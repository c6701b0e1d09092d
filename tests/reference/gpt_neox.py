"""Writes the golden data of the GPT-NeoX architecture: python gpt_neox.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder. tests/golden/README.md
describes what is written.
"""

import argparse
import copy
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import GPTNeoXConfig

import adapters
import batches
import models
import training
from environment import make_deterministic
from generation import beam_scores, generate
from output import write_json, write_tensors

LENGTHS = (12, 9, 5)
# Prompt lengths of the [3, 12] batch; a row without a prompt is supervised from its first label on.
PROMPTS = (4, 0, 2)
LORA = {"r": 4, "lora_alpha": 8}
ATTENTION = ["query_key_value", "dense"]
PENALTIES = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3}
BEAMS = {
    "num_beams": 3,
    "num_return_sequences": 3,
    "length_penalty": 0.8,
    "max_new_tokens": 20,
}
# The least change of the loss by which an adapter shows that it is applied.
VISIBLE = 3e-3


@dataclass
class Case:
    """One model and how it is saved."""

    name: str
    seed: int
    config: GPTNeoXConfig
    # Standard deviation of the layers' weights.
    layer_std: float = 0.08
    # Shard size of the saved weights; None for one file.
    shard_size: str | None = None
    # Whether config.json gets the layout of the models on the hub.
    flat_config: bool = False
    # Whether the weights are also saved rounded to bfloat16 and float16.
    rounded: bool = False


def cases() -> list[Case]:
    return [
        Case(
            "parallel",
            seed=16,
            config=GPTNeoXConfig(
                vocab_size=97,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                rotary_pct=0.25,
                use_parallel_residual=True,
                attention_bias=True,
                max_position_embeddings=64,
                tie_word_embeddings=False,
                hidden_act="gelu",
                layer_norm_eps=1e-5,
            ),
            rounded=True,
        ),
        Case(
            "sequential",
            seed=14,
            config=GPTNeoXConfig(
                vocab_size=131,
                hidden_size=48,
                num_hidden_layers=3,
                num_attention_heads=3,
                intermediate_size=96,
                rotary_pct=0.5,
                rotary_emb_base=5000,
                use_parallel_residual=False,
                attention_bias=True,
                max_position_embeddings=128,
                tie_word_embeddings=False,
                hidden_act="gelu_new",
                layer_norm_eps=1e-6,
            ),
            shard_size="120KB",
            flat_config=True,
        ),
        Case(
            "tied",
            seed=16,
            config=GPTNeoXConfig(
                vocab_size=64,
                hidden_size=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=48,
                rotary_pct=1.0,
                use_parallel_residual=True,
                attention_bias=False,
                max_position_embeddings=64,
                tie_word_embeddings=True,
                hidden_act="gelu",
                layer_norm_eps=1e-5,
            ),
            # Less, and every token would mostly predict itself.
            layer_std=0.2,
        ),
    ]


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
    prompts = [batches.random_ids(rng, length, vocab) for length in (6, 3)]
    model = models.random_model(case.config, case.seed, case.layer_std)

    values = {
        "batch": batch | {"supervised_tokens": batches.supervised_tokens(batch["labels"])},
    }
    tensors = dict(batch)
    save_model(case, model, batch, folder)
    parts = [
        forward(model, batch),
        full_training(model, train),
        lora(model, case.seed, batch, train, folder),
        lora_variants(model, case.seed, batch, folder),
        decoding(model, case.seed, prompts),
    ]
    if case.rounded:
        parts.append(rounded(model, batch, folder))
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
    if case.flat_config:
        path = target / "config.json"
        nested = json.loads(path.read_text())
        path.rename(folder / "config_nested.json")
        path.write_text(json.dumps(flattened(nested), indent=2, sort_keys=True) + "\n")
        check_loads(target, model, batch)


def flattened(config: dict) -> dict:
    """config.json as older versions of transformers wrote it, for example that of Pythia.

    The rotary settings are at the top level, the element type has its older
    name, and settings younger than the models are absent.
    """
    config = dict(config)
    rope = config.pop("rope_parameters")
    config["rotary_pct"] = rope["partial_rotary_factor"]
    config["rotary_emb_base"] = rope["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.24.0"
    for absent in (
        "attention_bias",
        "attention_dropout",
        "classifier_dropout",
        "hidden_dropout",
        "is_decoder",
        "pad_token_id",
    ):
        del config[absent]
    return config


def check_loads(folder: Path, model, batch: dict) -> None:
    """Assert that the model in `folder` gives the very logits of `model`."""
    assert torch.equal(logits(models.load_model(folder), batch), logits(model, batch))


def logits(model, batch: dict) -> torch.Tensor:
    with torch.no_grad():
        return model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).logits


def loss(model, batch: dict) -> float:
    with torch.no_grad():
        return model(**batch).loss.item()


def saved_name(parameter: str) -> str:
    """The name a parameter has in model.safetensors.

    transformers 5 renamed the output head in memory, not in files.
    """
    return {"lm_head.weight": "embed_out.weight"}.get(parameter, parameter)


def forward(model, batch: dict) -> tuple[dict, dict]:
    """Logits, loss and gradients of the base model on the [3, 12] batch."""
    value, grads = training.loss_and_grads(model, batch, list(model.named_parameters()))
    tensors = {f"grads.{saved_name(name)}": grad for name, grad in grads.items()}
    return {"loss": value}, tensors | {"logits": logits(model, batch)}


def full_training(model, train: list) -> tuple[dict, dict]:
    """Trajectories of training every parameter, with AdamW and with SGD."""
    optimizers = {
        "full": lambda tensors: torch.optim.AdamW(tensors, lr=1e-3, weight_decay=0.01),
        "sgd": lambda tensors: torch.optim.SGD(tensors, lr=0.05, momentum=0.9),
    }
    values = {}
    for name, optimizer in optimizers.items():
        trained = copy.deepcopy(model)
        parameters = list(trained.named_parameters())
        trajectory = training.train(
            trained, parameters, optimizer([tensor for _, tensor in parameters]), train
        )
        values[f"{name}_losses"] = trajectory.losses
        values[f"{name}_grad_norms"] = trajectory.grad_norms
    return values, {}


def lora(model, seed: int, batch: dict, train: list, folder: Path) -> tuple[dict, dict]:
    """The adapter `lora/`: its loss on the batch, merged too, and its training."""
    adapted = first_adapter(model, seed)
    adapters.save(adapted, folder / "lora")
    merged = copy.deepcopy(adapted).merge_and_unload()
    values = {"lora_loss": loss(adapted, batch), "merged_loss": loss(merged, batch)}
    assert abs(values["lora_loss"] - values["merged_loss"]) < 1e-5
    assert abs(values["lora_loss"] - loss(model, batch)) > VISIBLE
    tensors = {"lora_logits": logits(adapted, batch)}

    trajectory, trained = lora_training(model, seed, train)
    accumulated, _ = lora_training(model, seed, train, accumulate=2)
    for whole, split in (
        (trajectory.losses, accumulated.losses),
        (trajectory.grad_norms, accumulated.grad_norms),
    ):
        # Rounding differs, and grows with the steps.
        assert abs(split[0] - whole[0]) < 1e-6
        torch.testing.assert_close(torch.tensor(split), torch.tensor(whole), rtol=1e-5, atol=0)
    values["lora_losses"] = trajectory.losses
    values["lora_grad_norms"] = trajectory.grad_norms
    for name, grad in trajectory.first_grads.items():
        tensors[f"lora_grads.{name}"] = grad
    for name, parameter in trained:
        tensors[f"lora_final.{name}"] = parameter
    return values, tensors


def first_adapter(model, seed: int):
    """The adapter of `lora/`, new each time, on a copy of the model."""
    return adapters.random_adapter(model, seed + 100, target_modules=ATTENTION, **LORA)


def lora_training(model, seed: int, train: list, accumulate: int = 1):
    """The trajectory of training the adapter of `lora/`, and its parameters afterwards."""
    adapted = first_adapter(model, seed)
    parameters = adapters.lora_parameters(adapted)
    optimizer = torch.optim.AdamW(
        [tensor for _, tensor in parameters],
        lr=1e-2,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.01,
    )
    return training.train(adapted, parameters, optimizer, train, accumulate), parameters


def lora_variants(model, seed: int, batch: dict, folder: Path) -> tuple[dict, dict]:
    """Adapters with other settings, each saved in a folder of its own, and their losses."""
    variants = {
        "lora_rs": {"target_modules": ATTENTION, "use_rslora": True},
        "lora_layers": {"target_modules": ATTENTION, "layers_to_transform": [1]},
        "lora_regex": {"target_modules": r".*\.layers\.1\.(attention\.dense|mlp\.dense_4h_to_h)"},
    }
    values = {}
    for number, (name, options) in enumerate(variants.items()):
        adapted = adapters.random_adapter(model, seed + 200 + number, **options, **LORA)
        adapters.save(adapted, folder / name)
        values[f"{name}_loss"] = loss(adapted, batch)
        assert abs(values[f"{name}_loss"] - loss(model, batch)) > VISIBLE
    return values, {}


def decoding(model, seed: int, prompts: list) -> tuple[dict, dict]:
    """Generated tokens of the base model and of the adapter `lora/`."""
    first = prompts[:1]
    greedy = generate(model, first, max_new_tokens=40)[0]
    assert len(greedy) == 40
    end = next(index for index in range(5, 11) if greedy[index] not in greedy[:index])
    eos = greedy[end]
    batch = generate(model, prompts, max_new_tokens=40)
    assert batch[0] == greedy
    assert batch[1] == generate(model, prompts[1:], max_new_tokens=40)[0]
    stopped = generate(model, first, max_new_tokens=40, eos_token_id=eos)[0]
    assert stopped == greedy[: end + 1]
    adapted = generate(first_adapter(model, seed), first, max_new_tokens=40)[0]
    # Neither may be the mere repetition that small random models tend to.
    assert min(len(set(greedy)), len(set(adapted))) >= 6 and adapted != greedy
    values = {
        "prompts": prompts,
        "greedy": greedy,
        "greedy_batch": batch,
        "greedy_penalty": generate(model, first, max_new_tokens=40, **PENALTIES)[0],
        "eos": eos,
        "greedy_eos": stopped,
        "greedy_batch_eos": generate(model, prompts, max_new_tokens=40, eos_token_id=eos),
        "lora_greedy": adapted,
        "beam3": generate(model, first, **BEAMS),
        "beam3_scores": beam_scores(model, prompts[0], **BEAMS),
        "beam3_eos": generate(model, first, eos_token_id=eos, **BEAMS),
        "beam3_eos_scores": beam_scores(model, prompts[0], eos_token_id=eos, **BEAMS),
    }
    return values, {}


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
        tensors[f"logits_{name}"] = logits(loaded, batch)
        values[f"loss_{name}"] = loss(loaded, batch)
        if dtype is torch.float16:
            add_old_buffers(target / "model.safetensors", model.config)
            check_loads(target, loaded, batch)
    return values, tensors


def add_old_buffers(path: Path, config: GPTNeoXConfig) -> None:
    """Add to a weights file the buffers of old checkpoints, which a reader has to ignore."""
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
    folder = parser.parse_args().folder
    make_deterministic()
    for case in cases():
        write_case(case, folder / "gpt_neox" / case.name)


if __name__ == "__main__":
    main()
