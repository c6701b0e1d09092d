"""Writes tests/golden/folders/: model folders laid out as people have them, and the logits that transformers computes.

    python folders.py [FOLDER]

Each folder is read by `AutoModelForCausalLM.from_pretrained`; `logits.json` is what comes out for `IDS`.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, Qwen2Config, Qwen2ForCausalLM

IDS = [3, 1, 4, 1, 5, 9, 2, 6]
SMALL = dict(
    vocab_size=24, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=0, eos_token_id=1, pad_token_id=None,
)
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def model(kind, config, seed):
    torch.manual_seed(seed)
    made = kind(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0, 0.3) if parameter.dim() > 1 else parameter.normal_(1.0, 0.1)
    return made


def llama(tied, **more):
    return model(LlamaForCausalLM, LlamaConfig(**SMALL, tie_word_embeddings=tied, **more), 1)


def state(made, without=()):
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in made.state_dict().items()}
    return {name: tensor for name, tensor in tensors.items() if name not in without}


def folders():
    """Name, configuration, tensors by file; and the files of the index if there is one."""
    tied, free = llama(True), llama(False)
    config = tied.config.to_dict()
    head = state(free)[HEAD]
    yield "tied_but_different", config, {"model": {**state(tied), HEAD: head}}, None
    yield "tied_and_the_same", config, {"model": {**state(tied), HEAD: state(tied)[EMBEDDING].clone()}}, None
    yield "only_the_head", config, {"model": {**state(tied, [EMBEDDING, HEAD]), HEAD: state(tied)[EMBEDDING]}}, None
    qwen = model(Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=True), 2)
    yield "qwen_tied_but_different", qwen.config.to_dict(), {"model": {**state(qwen), HEAD: head}}, None
    sizes = {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
    neox = model(GPTNeoXForCausalLM, GPTNeoXConfig(**sizes, tie_word_embeddings=True), 4)
    # transformers 5 calls the projection `lm_head` in memory; files have `embed_out`, and those of some programs this.
    yield "neox_tied_but_different", neox.config.to_dict(), {"model": {**state(neox), HEAD: head}}, None
    yield "double", free.config.to_dict(), {"model": {n: t.double() for n, t in state(free).items()}}, None
    bare = {name.removeprefix("model."): tensor for name, tensor in state(tied, [HEAD]).items()}
    yield "without_prefix", config, {"model": bare}, None
    experts = MixtralConfig(**SMALL, num_local_experts=3, num_experts_per_tok=2)
    mixtral = model(MixtralForCausalLM, experts, 3)
    yield "fused_experts", mixtral.config.to_dict(), {"model": state(mixtral)}, None
    quantized = {**free.config.to_dict(), "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    yield "left_over_quantization", quantized, {"model": state(free)}, None
    both = llama(False, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0})
    old = {"rope_theta": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}
    yield "rope_of_both_generations", {**both.config.to_dict(), **old}, {"model": state(both)}, None
    parts = state(free)
    names = sorted(parts)
    files = {
        "model-00001-of-00002": {n: parts[n] for n in names[::2]},
        "model-00002-of-00002": {n: parts[n] for n in names[1::2]},
    }
    index = {name: f"{file}.safetensors" for file, tensors in files.items() for name in tensors}
    index["mtp.layers.0.weight"] = "model-00002-of-00002.safetensors"
    yield "index_with_more", free.config.to_dict(), files, index
    # Saved as a part of another module, and with the projection among what the model's first part holds.
    config = free.config.to_dict()
    yield "within_another_module", config, {"model": {f"module.{n}": t for n, t in state(free).items()}}, None
    inner = {name.replace("lm_head", "model.lm_head"): tensor for name, tensor in state(free).items()}
    yield "head_with_prefix", config, {"model": inner}, None


def logits(folder, config, name):
    """As transformers reads it. The left-over setting would have it look for a library that is not needed.

    Tensors with more in front of their names transformers does not find: for those, what the model computes that was
    saved."""
    path = folder / "config.json"
    if name in ("within_another_module", "head_with_prefix"):
        with torch.no_grad():
            return llama(False)(torch.tensor([IDS])).logits[0].flatten().tolist()
    if "quantization_config" in config:
        path.write_text(json.dumps({k: v for k, v in config.items() if k != "quantization_config"}))
    read = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    path.write_text(json.dumps(config, indent=1))
    with torch.no_grad():
        return read(torch.tensor([IDS])).logits[0].flatten().tolist()


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "golden" / "folders"
    shutil.rmtree(target, ignore_errors=True)
    for name, config, files, index in folders():
        folder = target / name
        folder.mkdir(parents=True)
        config = {**config, "architectures": None, "dtype": "float32", "transformers_version": None}
        (folder / "config.json").write_text(json.dumps(config, indent=1))
        for file, tensors in files.items():
            save_file(tensors, folder / f"{file}.safetensors", metadata={"format": "pt"})
        if index:
            table = {"metadata": {}, "weight_map": index}
            (folder / "model.safetensors.index.json").write_text(json.dumps(table, indent=1))
        found = {"ids": IDS, "logits": logits(folder, config, name)}
        (folder / "logits.json").write_text(json.dumps(found) + "\n")
        print(name)


if __name__ == "__main__":
    main()
