"""The llama.cpp side of decoding.py: python decoding_llama.py WORK WIDTH PROMPT TOKENS READ

Writes the model as GGUF, if it is not there yet.
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file

# Our formats of weights, and what holds as many bits there.
TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "int8": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
BLOCK = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def named(name: str) -> str:
    """A tensor's name there."""
    module = name.removesuffix(".weight")
    if module in WHOLE:
        return f"{WHOLE[module]}.weight"
    _, _, number, part = module.split(".", 3)
    return f"blk.{number}.{BLOCK[part]}.weight"


def turned(name: str, numbers: np.ndarray, config: dict) -> np.ndarray:
    """Queries and keys rotate neighbouring numbers there, and halves of a head here."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is None:
        return numbers
    pairs = numbers.reshape(config[heads], 2, -1, numbers.shape[1])
    return pairs.swapaxes(1, 2).reshape(numbers.shape)


def write(model: Path, path: Path, width: str) -> None:
    """A GGUF file of the folder's Llama; the tokenizer is one of words without merges."""
    config = json.loads((model / "config.json").read_text())
    kind, file_type = TYPES[width]
    writer = gguf.GGUFWriter(path, "llama")
    size, heads = config["hidden_size"], config["num_attention_heads"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(size)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(size // heads)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(file_type)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"w{i}" for i in range(config["vocab_size"])])
    writer.add_token_scores([0.0] * config["vocab_size"])
    writer.add_token_types([gguf.TokenType.NORMAL] * config["vocab_size"])
    for name, numbers in load_file(model / "model.safetensors").items():
        numbers = turned(name, numbers.astype(np.float32), config)
        to = kind if numbers.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(named(name), gguf.quantize(numbers, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    """A loaded file, one sequence."""

    def __init__(self, path: Path, context: int, threads: int) -> None:
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=context, n_batch=context, n_threads=threads, n_threads_batch=threads, verbose=False
        )
        self.vocab = self.llama.n_vocab()

    def forget(self) -> None:
        """Empties the cache."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.llama.ctx), True)

    def read(self, tokens: list[int]) -> int:
        """Reads tokens, and the next one by the highest score."""
        ids = (llama_cpp.llama_token * len(tokens))(*tokens)
        context = self.llama.ctx
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, len(tokens))) != 0:
            raise RuntimeError("llama_decode failed")
        scores = llama_cpp.llama_get_logits_ith(context, -1)
        array = np.ctypeslib.as_array(ctypes.cast(scores, ctypes.POINTER(ctypes.c_float)), (self.vocab,))
        return int(array.argmax())


def main() -> None:
    work, width = Path(sys.argv[1]), sys.argv[2]
    prompt, tokens, read = map(int, sys.argv[3:6])
    path = work / f"model-{width}.gguf"
    if not path.exists():
        write(work / "model", path, width)
    threads = int(os.environ["OMP_NUM_THREADS"])
    model = Model(path, max(prompt + tokens + 16, read), threads)
    model.read(list(range(1, read + 1)))
    model.forget()
    start = time.perf_counter()
    model.read(list(range(1, read + 1)))
    reading = read / (time.perf_counter() - start)
    model.forget()
    ids, start = [model.read(list(range(1, prompt + 1)))], 0.0
    for step in range(tokens + 8):
        if step == 8:
            start = time.perf_counter()
        ids.append(model.read([ids[-1]]))
    rate = tokens / (time.perf_counter() - start)
    found = {"generated": rate, "read": reading, "ids": ids}
    (work / "decoding_llama.py.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
