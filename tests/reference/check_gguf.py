"""Shows that the gguf package reads a GGUF file, and that it holds a model folder's tensors and numbers.

    python check_gguf.py --gguf FILE --model DIR [--q8]

Names are looked up in the package's own table of tensors, and orders are undone here, as llama.cpp's converter makes them.
Prints the number of tensors; exits with 1 at the first difference.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from gguf import MODEL_ARCH_NAMES, GGUFReader, GGMLQuantizationType, get_tensor_name_map, quants
from safetensors import safe_open


def tensors(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            found |= {name: weights.get_tensor(name).float().numpy() for name in weights.keys()}
    return {n: t for n, t in found.items() if "rotary_emb" not in n}


def halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """Neighbours back to halves: what llama.cpp's `permute` did is undone."""
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(shape)


def grouped(rows: np.ndarray, heads: int) -> np.ndarray:
    """All queries, keys and values back to those of head after head."""
    shape = rows.shape
    return rows.reshape(3, heads, shape[0] // heads // 3, -1).swapaxes(0, 1).reshape(shape)


def undone(name: str, found: np.ndarray, config: dict) -> np.ndarray:
    kind = config["model_type"]
    heads = config.get("num_attention_heads", config.get("n_head"))
    keys = config.get("num_key_value_heads") or heads
    if kind in ("llama", "mistral", "mixtral") and ".q_proj." in name:
        return halves(found, heads)
    if kind in ("llama", "mistral", "mixtral") and ".k_proj." in name:
        return halves(found, keys)
    if kind == "gpt_neox" and "query_key_value" in name:
        return grouped(found, heads)
    if kind == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        return found.T
    if kind.startswith("gemma") and name.endswith("norm.weight"):
        return found - np.float32(1)
    return found


def expected_values(config: dict) -> dict[str, float]:
    """What the file has to say of the architecture, without its name."""
    kind = config["model_type"]
    if kind == "gpt2":
        names = {"block_count": "n_layer", "context_length": "n_positions", "embedding_length": "n_embd"}
        return {key: config[name] for key, name in names.items()} | {
            "attention.head_count": config["n_head"],
            "attention.layer_norm_epsilon": config["layer_norm_epsilon"],
        }
    names = {
        "block_count": "num_hidden_layers",
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "attention.layer_norm_epsilon": "layer_norm_eps",
        "expert_count": "num_local_experts",
        "expert_used_count": "num_experts_per_tok",
    }
    values = {key: config[name] for key, name in names.items() if config.get(name) is not None}
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = rope.get("full_attention", rope)
    base = rope.get("rope_theta") or config.get("rope_theta") or config.get("rotary_emb_base")
    return values | ({"rope.freq_base": base} if base else {})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--q8", action="store_true")
    options = parser.parse_args()
    config = json.loads((options.model / "config.json").read_text())
    reader = GGUFReader(options.gguf)
    arch = reader.fields["general.architecture"].contents()
    for key, value in expected_values(config).items():
        field = reader.fields.get(f"{arch}.{key}")
        if field is None or not np.isclose(field.contents(), value, rtol=1e-6):
            sys.exit(f"{arch}.{key} is {field and field.contents()}, not {value}")
    kind = next(kind for kind, name in MODEL_ARCH_NAMES.items() if name == arch)
    blocks = config.get("num_hidden_layers", config.get("n_layer"))
    names = get_tensor_name_map(kind, blocks)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    used = set()
    for name, tensor in tensors(options.model).items():
        if config["model_type"] == "mixtral" and ".experts." in name:
            front, rest = name.split(".experts.")
            expert, leaf = rest.split(".", 1)
            merged = f"{front.removeprefix('model.').replace('block_sparse_moe', 'feed_forward')}.experts.{leaf}"
            target, expert = names.get_name(merged, (".weight", ".bias")), int(expert)
        else:
            target, expert = names.get_name(name, (".weight", ".bias")), None
        if target == "output.weight" and target not in stored and config.get("tie_word_embeddings"):
            continue
        if target not in stored:
            sys.exit(f"{name} should be {target}, which is not in the file")
        used.add(target)
        one = stored[target]
        numbers = quants.dequantize(one.data, one.tensor_type).reshape(tuple(int(n) for n in reversed(one.shape)))
        numbers = numbers if expert is None else numbers[expert]
        numbers = undone(name, numbers.astype(np.float32), config)
        exact = one.tensor_type == GGMLQuantizationType.F32
        allowed = 1e-6 if exact else np.abs(tensor).max() / (127 if options.q8 else 200)
        if numbers.shape != tensor.shape or not np.abs(numbers - tensor).max() <= allowed:
            sys.exit(f"{target} holds other numbers than {name}")
    left = {name for name in stored if name not in used and not name.startswith("rope_")}
    if left - {"output.weight"} - {f"blk.{i}.attn_{m}.bias" for i in range(blocks) for m in ("qkv", "output")}:
        sys.exit(f"the file has more: {left}")
    print(json.dumps({"tensors": len(stored), "architecture": arch}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
