"""Writes the angles of transformers' rotary embeddings: python rotary.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is `rotary.json` in it, described in
tests/golden/README.md.
"""

import argparse
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, LlamaConfig, Phi3Config
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from output import write_json

ROTARIES = {
    "llama": (LlamaConfig, LlamaRotaryEmbedding),
    "phi3": (Phi3Config, Phi3RotaryEmbedding),
    "gpt_neox": (GPTNeoXConfig, GPTNeoXRotaryEmbedding),
}


def rising(start, step, count):
    """`count` divisors for longrope."""
    return [round(start + step * i * i, 4) for i in range(count)]


# Name: model_type, elements of a head, the keys of the config.json, lengths of the longest sequence.
CASES = {
    "default": ("llama", 64, {"rope_theta": 10000.0}, [8]),
    "large_base": ("llama", 128, {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}, [8]),
    "partial": ("phi3", 16, {"partial_rotary_factor": 0.75}, [8]),
    "quarter": ("gpt_neox", 32, {"rotary_pct": 0.25, "rotary_emb_base": 5000}, [8]),
    "odd": ("gpt_neox", 12, {"rotary_pct": 0.25}, [8]),
    "linear": ("llama", 32, {"rope_scaling": {"type": "linear", "factor": 2.5}}, [8]),
    "linear_partial": (
        "gpt_neox",
        32,
        {"rotary_pct": 0.5, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
        [8],
    ),
    "dynamic": (
        "llama",
        32,
        {"max_position_embeddings": 64, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
        [8, 63, 64, 65, 200],
    ),
    "dynamic_fraction": (
        "llama",
        16,
        {
            "max_position_embeddings": 48,
            "rope_parameters": {"rope_type": "dynamic", "factor": 3.7, "rope_theta": 500000.0},
        },
        [48, 49, 1000],
    ),
    "llama3": (
        "llama",
        64,
        {
            "max_position_embeddings": 131072,
            "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 32.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
        },
        [8],
    ),
    "yarn": (
        "llama",
        128,
        {
            "max_position_embeddings": 131072,
            "rope_theta": 1000000.0,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        },
        [8],
    ),
    "yarn_without_original": (
        "llama",
        32,
        {"max_position_embeddings": 512, "rope_scaling": {"rope_type": "yarn", "factor": 8.0}},
        [8],
    ),
    "yarn_ratio": (
        "llama",
        32,
        {
            "max_position_embeddings": 4096,
            "rope_scaling": {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 512},
        },
        [8],
    ),
    "yarn_mscale": (
        "llama",
        32,
        {
            "max_position_embeddings": 4096,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 40.0,
                "original_max_position_embeddings": 256,
                "beta_fast": 16,
                "beta_slow": 2,
                "mscale": 1.0,
                "mscale_all_dim": 0.7,
            },
        },
        [8],
    ),
    "yarn_attention_factor": (
        "llama",
        32,
        {
            "max_position_embeddings": 1024,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 256,
                "attention_factor": 0.9,
                "truncate": False,
            },
        },
        [8],
    ),
    "yarn_narrow": (
        "llama",
        8,
        {
            "max_position_embeddings": 64,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 2.0,
                "original_max_position_embeddings": 4,
            },
        },
        [8],
    ),
    "longrope": (
        "phi3",
        32,
        {
            "max_position_embeddings": 256,
            "original_max_position_embeddings": 32,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": rising(1.0, 0.01, 16),
                "long_factor": rising(1.05, 0.5, 16),
            },
        },
        [8, 32, 33, 200],
    ),
    "longrope_partial": (
        "phi3",
        16,
        {
            "max_position_embeddings": 128,
            "original_max_position_embeddings": 128,
            "partial_rotary_factor": 0.75,
            "rope_scaling": {
                "type": "longrope",
                "short_factor": rising(1.0, 0.1, 6),
                "long_factor": rising(2.0, 0.3, 6),
            },
        },
        [128, 129],
    ),
    "longrope_factor": (
        "llama",
        16,
        {
            "max_position_embeddings": 128,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "factor": 16.0,
                "original_max_position_embeddings": 32,
                "short_factor": rising(1.0, 0.1, 8),
                "long_factor": rising(2.0, 0.3, 8),
            },
        },
        [8, 33],
    ),
    "longrope_attention_factor": (
        "llama",
        16,
        {
            "max_position_embeddings": 128,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "original_max_position_embeddings": 32,
                "attention_factor": 1.25,
                "short_factor": rising(1.0, 0.1, 8),
                "long_factor": rising(2.0, 0.3, 8),
            },
        },
        [8],
    ),
}


def angles(model_type, head, keys, length):
    """What a new model's rotary embedding multiplies positions and sines with in a pass of this length."""
    config_class, rotary_class = ROTARIES[model_type]
    copies = {key: dict(value) if isinstance(value, dict) else value for key, value in keys.items()}
    rotary = rotary_class(config_class(hidden_size=2 * head, num_attention_heads=2, **copies))
    rotary(torch.zeros(1), torch.arange(length)[None])
    return {"length": length, "inv_freq": rotary.inv_freq, "scale": float(rotary.attention_scaling)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "golden")
    cases = []
    for name, (model_type, head, keys, lengths) in CASES.items():
        expected = [angles(model_type, head, keys, length) for length in lengths]
        cases.append({"name": name, "model_type": model_type, "head": head, "config": keys, "expected": expected})
    write_json(parser.parse_args().folder / "rotary.json", cases)


if __name__ == "__main__":
    main()
