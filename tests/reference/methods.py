"""Writes adapters of every method that peft has and we read: python methods.py [FOLDER] [--only NAMES]

FOLDER defaults to `golden` next to this script's folder; each adapter is a
folder in `methods/`, for the model of a case, and `methods/expected.json` has
what is computed with it: the loss of the case's batch, twelve steps of training
from there, greedy and beam answers to prompts of unequal lengths, each alone, and, where
peft can merge it, the loss and the changed tensors of the merged model. Of
PiSSA there is also a course from its own start, and `converted/`, the adapter
at that course's end as peft converts it for the unchanged base model.
"""

import argparse
import copy
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from peft.optimizers import create_loraplus_optimizer

import training
from computing import VISIBLE, as_saved, loss
from environment import make_deterministic
from models import load_model
from output import write_json, write_tensors

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TASK = {"task_type": "CAUSAL_LM"}
LORA = {"r": 4, "lora_alpha": 8, **TASK}
NEOX = ["query_key_value", "dense_4h_to_h"]
PROMPTS = [[3, 9, 4, 11, 7], [5, 6]]

METHODS = {
    "llama/plain": {
        "dora": LoraConfig(target_modules=["q_proj", "v_proj", "down_proj"], use_dora=True, **LORA),
        "lora_bias": LoraConfig(target_modules=["q_proj", "v_proj"], lora_bias=True, **LORA),
        "lora_head": LoraConfig(target_modules=["q_proj", "lm_head"], **LORA),
        "lora_embedding": LoraConfig(target_modules=["embed_tokens", "v_proj"], **LORA),
        "lora_tokens": LoraConfig(target_modules=["q_proj"], trainable_token_indices=[3, 5, 11], **LORA),
        "ia3": IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], **TASK),
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=3, **TASK),
        "p_tuning": PromptEncoderConfig(num_virtual_tokens=3, encoder_hidden_size=10, **TASK),
        "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=3, **TASK),
        "prefix_projection": PrefixTuningConfig(
            num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=10, **TASK
        ),
    },
    # Projections with biases, several at once in one.
    "gpt_neox/parallel": {
        "dora": LoraConfig(target_modules=NEOX, use_dora=True, **LORA),
        "lora_bias": LoraConfig(target_modules=NEOX, lora_bias=True, **LORA),
        "lora_head": LoraConfig(target_modules=["dense", "lm_head"], **LORA),
        "head_saved": LoraConfig(target_modules=["dense"], modules_to_save=["lm_head"], **LORA),
        "ia3": IA3Config(target_modules=NEOX, feedforward_modules=["dense_4h_to_h"], **TASK),
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=2, **TASK),
        "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=2, **TASK),
    },
    # Weights that are stored as [in, out], and learned positions, which virtual tokens have, too.
    "gpt2/plain": {
        "dora": LoraConfig(target_modules=["c_attn", "c_proj"], use_dora=True, fan_in_fan_out=True, **LORA),
        "ia3": IA3Config(
            target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"], fan_in_fan_out=True, **TASK
        ),
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=3, **TASK),
        "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=3, **TASK),
    },
    # Scaled embeddings, limited scores, windows.
    "gemma2/plain": {
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=2, **TASK),
    },
    # Heads that share keys and values.
    "qwen2/plain": {
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=4, **TASK),
        "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=4, **TASK),
    },
    # A sliding window.
    "mistral/window": {
        "prompt_tuning": PromptTuningConfig(num_virtual_tokens=2, **TASK),
        # LoRA+, also of what has one dimension.
        "lora_plus": LoraConfig(target_modules=["q_proj", "down_proj"], use_dora=True, **LORA),
    },
}

# Written after the others, which keep their seeds.
PISSA = {
    "llama/plain": {
        "pissa": LoraConfig(target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights="pissa", **LORA),
        "pissa_rs": LoraConfig(
            target_modules=["k_proj", "up_proj"], init_lora_weights="pissa", use_rslora=True, **LORA
        ),
        "pissa_patterns": LoraConfig(
            target_modules=["q_proj", "down_proj"], init_lora_weights="pissa",
            rank_pattern={"down_proj": 2}, alpha_pattern={"q_proj": 3}, **LORA,
        ),
    },
    "gpt_neox/parallel": {
        "pissa": LoraConfig(target_modules=[*NEOX, "lm_head"], init_lora_weights="pissa", **LORA),
    },
    "gpt2/plain": {
        "pissa": LoraConfig(
            target_modules=["c_attn", "c_proj"], init_lora_weights="pissa", fan_in_fan_out=True, **LORA
        ),
    },
}


def is_pissa(config) -> bool:
    return getattr(config, "init_lora_weights", None) == "pissa"


def attach(model, config, seed: int):
    """A copy of `model` with a new adapter that has an effect."""
    torch.manual_seed(seed)
    adapted = get_peft_model(copy.deepcopy(model), copy.deepcopy(config))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if not parameter.requires_grad:
                continue
            noise = torch.randn(parameter.shape, generator=generator)
            if is_pissa(config):
                parameter.add_(0.05 * noise)
            elif "lora_A" in name or "lora_embedding_B" in name:
                parameter.copy_(0.2 * noise)
            elif "lora_B" in name or "lora_embedding_A" in name:
                parameter.copy_(0.1 * noise)
            elif "lora_magnitude" in name or "ia3_l" in name:
                parameter.mul_(1 + 0.2 * noise)
            elif "trainable_tokens" in name or "modules_to_save" in name:
                parameter.add_(0.1 * noise)
            elif name.startswith("prompt_encoder") and "embedding" in name:
                parameter.copy_(0.5 * noise)
    return adapted.eval()


def save(adapted, folder: Path) -> None:
    # With a target among them, peft saves embeddings and vocabulary projection, of PiSSA what is left of them.
    own = {"save_embedding_layers": False} if is_pissa(adapted.peft_config["default"]) else {}
    adapted.save_pretrained(folder, **own)
    tidy(folder)


def tidy(folder: Path) -> None:
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None  # a path of this machine
    for key in ("target_modules", "feedforward_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def trained(adapted) -> list:
    return [(name, parameter) for name, parameter in adapted.named_parameters() if parameter.requires_grad]


def answers(adapted, beams: int) -> list:
    """What is generated after each prompt, alone: of prompts that are filled up on the left, peft counts the padding."""
    rows = []
    for prompt in PROMPTS:
        found = adapted.generate(
            input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=8, do_sample=False, num_beams=beams, eos_token_id=2, pad_token_id=0,
        )
        rows.append(found[0, len(prompt) :].tolist())
    return rows


def course(adapted, examples: list):
    parameters = trained(adapted)
    optimizer = torch.optim.AdamW([tensor for _, tensor in parameters], lr=1e-2, weight_decay=0.01)
    return training.train(adapted, parameters, optimizer, examples)


def from_its_start(model, config, batch: dict, examples: list, folder: Path) -> dict:
    """Train an adapter that is as peft starts it, and save what peft converts it to."""
    adapted = get_peft_model(copy.deepcopy(model), copy.deepcopy(config))
    with TemporaryDirectory() as directory:
        start = Path(directory) / "start"
        adapted.peft_config["default"].init_lora_weights = True
        adapted.save_pretrained(start)
        adapted.peft_config["default"].init_lora_weights = config.init_lora_weights
        trajectory = course(adapted, examples)
        end = loss(adapted.eval(), batch)
        adapted.save_pretrained(folder, path_initial_model_for_weight_conversion=str(start))
    tidy(folder)
    again = PeftModel.from_pretrained(copy.deepcopy(model), str(folder)).eval()
    assert abs(loss(again, batch) - end) < 1e-5, "the converted adapter is another"
    return {"start_losses": trajectory.losses, "start_grad_norms": trajectory.grad_norms, "converted_loss": end}


def key_of(case: str, name: str) -> str:
    return f"{case.split('/')[0]}_{name}"


def write(case: str, name: str, config, number: int, folder: Path) -> dict:
    """Save an adapter; return what is computed with it."""
    root = GOLDEN / case
    model = load_model(root / "model")
    batch = json.loads((root / "expected.json").read_text())["batch"]
    batch = {key: torch.tensor(rows) for key, rows in batch.items() if key != "supervised_tokens"}
    examples = json.loads((root / "train.json").read_text())["examples"]
    # Nothing predicts a sequence's first token here, as in a model without virtual tokens; peft lets the last of those.
    batch["labels"][:, 0] = -100
    for example in examples:
        example["labels"][0] = -100
    adapted = attach(model, config, 700 + number)
    save(adapted, folder)
    again = PeftModel.from_pretrained(copy.deepcopy(model), str(folder)).eval()
    value = loss(adapted, batch)
    assert abs(loss(again, batch) - value) < 1e-6, f"peft reads {name} otherwise than it wrote it"
    assert abs(value - loss(model, batch)) > VISIBLE, f"{name} has no effect"
    values = {"case": case, "loss": value, "prompts": PROMPTS}
    values |= {"greedy": answers(adapted, 1), "beams": answers(adapted, 3)}
    if is_pissa(config):
        values |= from_its_start(model, config, batch, examples, folder / "converted")
    if hasattr(adapted, "prompt_encoder") and len(trained(adapted)) > 1:
        start = {key.replace(".default", ""): parameter for key, parameter in trained(adapted)}
        write_tensors(folder / "start.safetensors", start)
    # peft refuses to merge a bias into a projection that has none.
    if config.peft_type in ("LORA", "IA3") and key_of(case, name) != "llama_lora_bias":
        merged = copy.deepcopy(adapted).merge_and_unload().eval()
        values["merged_loss"] = loss(merged, batch)
        assert abs(values["merged_loss"] - value) < 1e-4
        before = as_saved(model, dict(model.named_parameters()))
        after = as_saved(merged, dict(merged.named_parameters()))
        changed = {key: tensor for key, tensor in after.items() if not torch.equal(tensor, before[key])}
        write_tensors(folder / "merged.safetensors", changed)
    if name == "lora_plus":
        values["loraplus_lr_ratio"] = 4
        optimizer = create_loraplus_optimizer(
            adapted, torch.optim.AdamW, lr=2.5e-3, loraplus_lr_ratio=4, loraplus_weight_decay=0.0
        )
        trajectory = training.train(adapted, trained(adapted), optimizer, examples)
    else:
        trajectory = course(adapted, examples)
    return values | {"losses": trajectory.losses, "grad_norms": trajectory.grad_norms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=GOLDEN)
    parser.add_argument("--only", nargs="+", help="adapters to write, the others stay: llama_dora gpt2_pissa")
    options = parser.parse_args()
    folder = options.folder / "methods"
    make_deterministic()
    if options.only is None:
        shutil.rmtree(folder, ignore_errors=True)
    before = json.loads((folder / "expected.json").read_text()) if options.only else {}
    values = {}
    for case, methods in [*METHODS.items(), *PISSA.items()]:
        for name, config in methods.items():
            key = key_of(case, name)
            if options.only and key not in options.only:
                values[key] = before[key]
                continue
            print(key, flush=True)
            shutil.rmtree(folder / key, ignore_errors=True)
            values[key] = write(case, name, config, len(values), folder / key)
    write_json(folder / "expected.json", values)


if __name__ == "__main__":
    main()
