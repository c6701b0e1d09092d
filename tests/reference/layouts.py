"""What differs between transformers' models in memory and their files: names of parameters, and config.json."""

import re

import torch

# Settings of GPT-NeoX that are younger than the models on the hub.
NEOX_YOUNG = (
    "attention_bias",
    "attention_dropout",
    "classifier_dropout",
    "hidden_dropout",
    "is_decoder",
    "pad_token_id",
)


def hub_config(config: dict, extras: dict) -> dict:
    """config.json as older versions of transformers wrote it, and as the models on the hub have it.

    The rotary settings are at the top level, the element type has its older
    name, and settings younger than the models are absent.
    """
    config = dict(config)
    rope = dict(config.pop("rope_parameters"))
    config["torch_dtype"] = config.pop("dtype")
    if config["model_type"] == "gpt_neox":
        config["rotary_pct"] = rope["partial_rotary_factor"]
        config["rotary_emb_base"] = rope["rope_theta"]
        config["transformers_version"] = "4.24.0"
        for absent in NEOX_YOUNG:
            del config[absent]
        return config
    config["transformers_version"] = "4.46.0"
    config["rope_theta"] = rope.pop("rope_theta")
    partial = rope.pop("partial_rotary_factor", 1.0)
    if partial != 1.0:
        config["partial_rotary_factor"] = partial
    if config["model_type"] == "phi3":
        rope.pop("original_max_position_embeddings", None)
    # Both names of the type are found on the hub; Llama 3 has the younger.
    kind = rope.pop("rope_type")
    name = "rope_type" if kind == "llama3" else "type"
    config["rope_scaling"] = None if kind == "default" else {**rope, name: kind}
    config.pop("layer_types", None)
    # Only models whose heads are not their width's share, and Qwen3 and Llama 3, say it.
    if config["model_type"] != "qwen3":
        config.pop("head_dim", None)
    if config.get("pad_token_id") is None:
        config.pop("pad_token_id", None)
    return config | extras


def saved(model_type: str, name: str, tensor: torch.Tensor) -> dict:
    """A parameter, or its gradient, under the name that it has in model.safetensors.

    Transformers 5 keeps Mixtral's experts together in memory, not in files,
    and renamed the output head of GPT-NeoX in memory only.
    """
    if model_type == "gpt_neox" and name == "lm_head.weight":
        return {"embed_out.weight": tensor}
    name = hub_name(name)
    experts = re.fullmatch(r"(.*)\.mlp\.experts\.(gate_up_proj|down_proj)", name)
    if experts is None:
        return {name: tensor}
    layer, kind = experts.groups()
    parts = {}
    for number, expert in enumerate(tensor):
        module = f"{layer}.block_sparse_moe.experts.{number}"
        if kind == "down_proj":
            parts[f"{module}.w2.weight"] = expert
        else:
            parts[f"{module}.w1.weight"], parts[f"{module}.w3.weight"] = expert.chunk(2)
    return parts


def hub_name(name: str) -> str:
    """The name of a router's parameter, or of what adapts it, if the module is named as in the files."""
    return name.replace(".mlp.gate.", ".block_sparse_moe.gate.")
