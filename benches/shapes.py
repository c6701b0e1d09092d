"""The models that are measured, with random weights: nothing is downloaded."""

from dataclasses import dataclass, field

import torch
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)


def pythia_14m() -> PreTrainedModel:
    """The shape of EleutherAI/pythia-14m."""
    config = GPTNeoXConfig(
        vocab_size=50304,
        hidden_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=2048,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": 0.25,
        },
        hidden_act="gelu",
        use_parallel_residual=True,
        attention_bias=True,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        dtype="float32",
    )
    return GPTNeoXForCausalLM(config)


def phi3_45m() -> PreTrainedModel:
    """A small Phi-3 with the vocabulary of a Chinese BERT, as for poems."""
    config = Phi3Config(
        vocab_size=21120,
        hidden_size=512,
        intermediate_size=2048,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        original_max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        dtype="float32",
    )
    return Phi3ForCausalLM(config)


def llama_45m() -> PreTrainedModel:
    """A small Llama."""
    config = LlamaConfig(
        vocab_size=21120,
        hidden_size=512,
        intermediate_size=2048,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


def llama_05b() -> PreTrainedModel:
    """A Llama with half a billion weights."""
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=1280,
        intermediate_size=3456,
        num_hidden_layers=22,
        num_attention_heads=20,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


def qwen2_05b() -> PreTrainedModel:
    """The shape of Qwen/Qwen2-0.5B."""
    config = Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        dtype="float32",
    )
    return Qwen2ForCausalLM(config)


@dataclass(frozen=True)
class Shape:
    """A model, and the modules that LoRA adapts."""

    make: object
    targets: tuple[str, ...] = field(default=("q_proj", "k_proj", "v_proj", "o_proj"))


SHAPES = {
    "pythia-14m": Shape(pythia_14m, ("query_key_value", "dense")),
    "phi3-45m": Shape(phi3_45m, ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")),
    "qwen2-0.5b": Shape(qwen2_05b),
    "llama-45m": Shape(llama_45m),
    "llama-0.5b": Shape(llama_05b),
}


def make_model(shape: str, seed: int) -> PreTrainedModel:
    """A model with random weights, float32."""
    torch.manual_seed(seed)
    return SHAPES[shape].make().float()
