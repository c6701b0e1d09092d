"""The table of model cases: which tiny models the golden data holds."""

from dataclasses import dataclass, field

from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)


@dataclass
class Family:
    """What all cases of a `model_type` have in common."""

    # Modules that the adapters adapt.
    targets: list[str]
    # A regular expression for the adapter `lora_regex`; None if peft does not keep one.
    regex: str | None


FAMILIES = {
    "gpt_neox": Family(
        ["query_key_value", "dense"],
        r".*\.layers\.1\.(attention\.dense|mlp\.dense_4h_to_h)",
    ),
    "llama": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.o_proj|mlp\.down_proj)"),
    "qwen2": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.k_proj|mlp\.up_proj)"),
    "qwen3": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.k_proj|mlp\.gate_proj)"),
    "mistral": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.o_proj|mlp\.gate_proj)"),
    "phi3": Family(["qkv_proj", "o_proj"], r".*\.layers\.1\.(self_attn\.qkv_proj|mlp\.gate_up_proj)"),
    "gpt2": Family(["c_attn", "c_proj"], r".*\.h\.1\.(attn\.c_proj|mlp\.c_fc)"),
    "gemma2": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.k_proj|mlp\.gate_proj)"),
    "gemma3_text": Family(["q_proj", "v_proj"], r".*\.layers\.1\.(self_attn\.k_proj|mlp\.gate_proj)"),
    # Of `dt_proj`, transformers reads the weight alone, past what peft puts around it.
    "mamba": Family(["in_proj", "x_proj"], r".*\.layers\.1\.mixer\.(in_proj|x_proj)"),
    # peft replaces a pattern by the last parts of the names that match, whatever their layer.
    "mixtral": Family(["q_proj", "v_proj"], None),
}


@dataclass
class Case:
    """One model and how it is saved."""

    name: str
    seed: int
    config: PreTrainedConfig
    # Standard deviation of the layers' weights, and of embeddings and output head.
    layer_std: float = 0.2
    table_std: float = 0.3
    # Shard size of the saved weights; None for one file.
    shard_size: str | None = None
    # Whether config.json gets the layout of the models on the hub, and what it then has beside.
    hub_config: bool = False
    hub_extras: dict = field(default_factory=dict)
    # Whether the weights are also saved rounded to bfloat16 and float16.
    rounded: bool = False
    # Lengths of the two prompts that are continued.
    prompts: tuple[int, int] = (6, 3)
    # Length of a sequence beyond the positions that the model was first made for; None for no such sequence.
    long: int | None = None
    # Length of a prompt from which generation comes to use other rotary frequencies; None for no such prompt.
    crossing: int | None = None

    @property
    def family(self) -> Family:
        return FAMILIES[self.config.model_type]


def gpt_neox() -> list[Case]:
    tables = {"table_std": 0.08}
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
            layer_std=0.08,
            rounded=True,
            **tables,
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
            layer_std=0.08,
            shard_size="120KB",
            hub_config=True,
            **tables,
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
            **tables,
        ),
    ]


def rope(kind: str = "default", theta: float = 10000.0, **options) -> dict:
    """Rotary settings as transformers 5 has them."""
    return {"rope_type": kind, "rope_theta": theta, **options}


# Of tied embeddings: with larger ones, or narrower layers, every token would mostly predict itself.
TIED = {"layer_std": 0.35, "table_std": 0.12}
# And with three layers.
TIED_DEEP = {"layer_std": 0.28, "table_std": 0.12}


def sizes(vocab: int, hidden: int, feed_forward: int, layers: int, heads: int, kv_heads: int) -> dict:
    return {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": feed_forward,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
    }


def llama() -> list[Case]:
    return [
        Case(
            "plain",
            seed=1,
            config=LlamaConfig(
                **sizes(48, 24, 40, 2, 4, 4),
                max_position_embeddings=128,
                rope_parameters=rope(),
                rms_norm_eps=1e-5,
            ),
            shard_size="20KB",
            hub_config=True,
        ),
        Case(
            "llama3",
            seed=22,
            config=LlamaConfig(
                **sizes(53, 16, 24, 3, 2, 1),
                head_dim=8,
                attention_bias=True,
                mlp_bias=True,
                max_position_embeddings=512,
                rope_parameters=rope(
                    "llama3",
                    500.0,
                    factor=8.0,
                    low_freq_factor=1.0,
                    high_freq_factor=4.0,
                    original_max_position_embeddings=64,
                ),
                tie_word_embeddings=True,
            ),
            hub_config=True,
            hub_extras={"head_dim": 8},
            long=80,
            **TIED_DEEP,
        ),
        Case(
            "linear",
            seed=3,
            config=LlamaConfig(
                **sizes(40, 16, 28, 2, 4, 2),
                attention_bias=True,
                max_position_embeddings=96,
                rope_parameters=rope("linear", factor=2.5),
            ),
        ),
        Case(
            "dynamic",
            seed=1,
            config=LlamaConfig(
                **sizes(40, 16, 24, 2, 2, 2),
                mlp_bias=True,
                max_position_embeddings=64,
                rope_parameters=rope("dynamic", 1000.0, factor=4.0),
            ),
            hub_config=True,
            long=80,
        ),
    ]


def qwen2() -> list[Case]:
    return [
        Case(
            "plain",
            seed=1,
            config=Qwen2Config(
                **sizes(48, 24, 36, 2, 4, 2),
                max_position_embeddings=128,
                rope_parameters=rope(),
            ),
            shard_size="16KB",
            hub_config=True,
            # A window that is switched off.
            hub_extras={"sliding_window": 4, "max_window_layers": 1, "use_mrope": False},
        ),
        Case(
            "windows",
            seed=23,
            config=Qwen2Config(
                **sizes(44, 16, 24, 3, 4, 1),
                max_position_embeddings=128,
                rope_parameters=rope(theta=1000000.0),
                use_sliding_window=True,
                sliding_window=4,
                max_window_layers=1,
                tie_word_embeddings=True,
            ),
            hub_config=True,
            **TIED_DEEP,
        ),
        Case(
            "yarn",
            seed=3,
            config=Qwen2Config(
                **sizes(40, 16, 24, 2, 2, 2),
                max_position_embeddings=256,
                rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=64),
            ),
            hub_config=True,
            long=80,
        ),
    ]


def qwen3() -> list[Case]:
    return [
        Case(
            "plain",
            seed=2,
            config=Qwen3Config(
                **sizes(52, 20, 32, 2, 4, 2),
                head_dim=8,
                max_position_embeddings=128,
                rope_parameters=rope(theta=1000000.0),
                tie_word_embeddings=True,
            ),
            hub_config=True,
            **TIED,
        ),
        Case(
            "windows",
            seed=1,
            config=Qwen3Config(
                **sizes(40, 16, 24, 3, 2, 1),
                head_dim=12,
                attention_bias=True,
                max_position_embeddings=256,
                rope_parameters=rope(
                    "yarn",
                    factor=4.0,
                    original_max_position_embeddings=64,
                    attention_factor=1.25,
                    beta_fast=8.0,
                    beta_slow=2.0,
                ),
                use_sliding_window=True,
                sliding_window=5,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            ),
            shard_size="16KB",
            long=80,
        ),
    ]


def mistral() -> list[Case]:
    return [
        Case(
            "window",
            seed=1,
            config=MistralConfig(
                **sizes(48, 24, 40, 2, 4, 2),
                max_position_embeddings=128,
                rope_parameters=rope(),
                rms_norm_eps=1e-5,
                sliding_window=4,
            ),
            shard_size="20KB",
            hub_config=True,
        ),
        Case(
            "heads",
            seed=22,
            config=MistralConfig(
                **sizes(56, 16, 24, 2, 2, 1),
                head_dim=12,
                max_position_embeddings=256,
                rope_parameters=rope(theta=1000000.0),
                sliding_window=None,
                tie_word_embeddings=True,
            ),
            **TIED,
        ),
    ]


def phi3() -> list[Case]:
    def longrope(**options) -> dict:
        short, long = [1.0, 1.05, 1.2], [1.5, 3.0, 6.0]
        return rope("longrope", short_factor=short, long_factor=long, **options)

    return [
        Case(
            "window",
            seed=1,
            config=Phi3Config(
                **sizes(48, 24, 32, 2, 4, 4),
                max_position_embeddings=128,
                original_max_position_embeddings=128,
                rope_parameters=rope(),
                sliding_window=5,
                eos_token_id=2,
                pad_token_id=0,
            ),
            shard_size="20KB",
            hub_config=True,
            hub_extras={
                "attention_bias": False,
                "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"},
            },
        ),
        Case(
            "short",
            seed=5,
            config=Phi3Config(
                **sizes(44, 16, 24, 2, 2, 1),
                max_position_embeddings=256,
                original_max_position_embeddings=64,
                rope_parameters=longrope(partial_rotary_factor=0.75),
                tie_word_embeddings=True,
                eos_token_id=2,
                pad_token_id=0,
            ),
            hub_config=True,
            hub_extras={"attention_bias": False},
            long=80,
            crossing=58,
            **TIED,
        ),
        Case(
            "long",
            seed=24,
            config=Phi3Config(
                **sizes(40, 24, 32, 2, 4, 2),
                max_position_embeddings=64,
                original_max_position_embeddings=4,
                rope_parameters=longrope(),
                eos_token_id=2,
                pad_token_id=0,
            ),
            prompts=(9, 6),
        ),
    ]


def gpt2() -> list[Case]:
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return [
        Case(
            "plain",
            seed=8,
            config=GPT2Config(
                vocab_size=48, n_embd=24, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2, **still
            ),
            shard_size="20KB",
            **TIED,
        ),
        Case(
            "untied",
            seed=1,
            config=GPT2Config(
                vocab_size=52,
                n_embd=16,
                n_layer=3,
                n_head=2,
                n_positions=96,
                n_inner=40,
                activation_function="gelu",
                layer_norm_epsilon=1e-6,
                scale_attn_by_inverse_layer_idx=True,
                tie_word_embeddings=False,
                bos_token_id=1,
                eos_token_id=2,
                **still,
            ),
        ),
    ]


def gemma2() -> list[Case]:
    return [
        Case(
            "plain",
            seed=11,
            config=Gemma2Config(
                **sizes(48, 24, 40, 3, 4, 2),
                head_dim=8,
                query_pre_attn_scalar=6,
                sliding_window=4,
                attn_logit_softcapping=2.0,
                final_logit_softcapping=3.0,
                max_position_embeddings=128,
                rope_parameters=rope(),
                eos_token_id=2,
                bos_token_id=1,
            ),
            shard_size="20KB",
            hub_config=True,
            hub_extras={"head_dim": 8},
            **TIED_DEEP,
        ),
        Case(
            "untied",
            seed=3,
            config=Gemma2Config(
                **sizes(40, 16, 24, 2, 2, 1),
                head_dim=12,
                sliding_window=5,
                attn_logit_softcapping=None,
                final_logit_softcapping=None,
                max_position_embeddings=128,
                rope_parameters=rope(theta=1000.0),
                attention_bias=True,
                tie_word_embeddings=False,
                eos_token_id=2,
                bos_token_id=1,
            ),
        ),
    ]


def gemma3_text() -> list[Case]:
    def each(**full) -> dict:
        return {"full_attention": rope(theta=1000000.0) | full, "sliding_attention": rope()}

    return [
        Case(
            "plain",
            seed=30,
            config=Gemma3TextConfig(
                **sizes(48, 24, 40, 3, 4, 2),
                head_dim=8,
                query_pre_attn_scalar=8,
                sliding_window=4,
                layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                max_position_embeddings=128,
                rope_parameters=each(),
                eos_token_id=2,
                bos_token_id=1,
            ),
            shard_size="20KB",
            **TIED_DEEP,
        ),
        Case(
            "linear",
            seed=2,
            config=Gemma3TextConfig(
                **sizes(40, 16, 24, 2, 2, 1),
                head_dim=12,
                query_pre_attn_scalar=12,
                sliding_window=5,
                layer_types=["sliding_attention", "full_attention"],
                max_position_embeddings=128,
                rope_parameters=each(rope_type="linear", factor=4.0),
                tie_word_embeddings=False,
                eos_token_id=2,
                bos_token_id=1,
            ),
        ),
    ]


def mamba() -> list[Case]:
    return [
        Case(
            "plain",
            seed=5,
            config=MambaConfig(
                vocab_size=48,
                hidden_size=16,
                state_size=4,
                num_hidden_layers=2,
                tie_word_embeddings=True,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
            ),
            **TIED,
        ),
        Case(
            "biased",
            seed=14,
            config=MambaConfig(
                vocab_size=40,
                hidden_size=12,
                state_size=3,
                num_hidden_layers=3,
                expand=3,
                conv_kernel=3,
                time_step_rank=5,
                use_bias=True,
                use_conv_bias=False,
                tie_word_embeddings=False,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
            ),
        ),
    ]


def mixtral() -> list[Case]:
    return [
        Case(
            "two",
            seed=7,
            config=MixtralConfig(
                **sizes(48, 16, 20, 2, 4, 2),
                num_local_experts=4,
                num_experts_per_tok=2,
                max_position_embeddings=128,
                rope_parameters=rope(theta=1000000.0),
                router_aux_loss_coef=0.02,
            ),
            shard_size="24KB",
            hub_config=True,
        ),
        Case(
            "three",
            seed=11,
            config=MixtralConfig(
                **sizes(40, 16, 12, 2, 2, 1),
                num_local_experts=5,
                num_experts_per_tok=3,
                head_dim=6,
                max_position_embeddings=128,
                rope_parameters=rope(),
                sliding_window=4,
                tie_word_embeddings=True,
            ),
            **TIED,
        ),
        Case(
            "one",
            seed=1,
            config=MixtralConfig(
                **sizes(40, 16, 16, 2, 2, 2),
                num_local_experts=5,
                num_experts_per_tok=1,
                max_position_embeddings=128,
                rope_parameters=rope(),
                output_router_logits=True,
                router_aux_loss_coef=0.1,
            ),
            hub_config=True,
        ),
    ]


def cases() -> list[Case]:
    """All of them."""
    families = gpt_neox, gpt2, llama, qwen2, qwen3, mistral, gemma2, gemma3_text, phi3, mixtral, mamba
    return [case for family in families for case in family()]
