"""Tiny random base models."""

import torch
from transformers import AutoModelForCausalLM


def randomise(model, seed: int, layer_std: float, table_std: float) -> None:
    """Fill every parameter with values large enough that nothing is trivially zero.

    Embeddings and the output head are normal(0, `table_std`), the layers'
    weights normal(0, `layer_std`), norm scales as computed 1 + normal(0, 0.1), biases
    normal(0, 0.05). Parameters are visited in the model's own order, a tied one once.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(".bias"):
                parameter.copy_(0.05 * noise)
            elif "norm" in name or ".ln_" in name:
                # Gemma adds 1 to them.
                centre = 0 if model.config.model_type.startswith("gemma") else 1
                parameter.copy_(centre + 0.1 * noise)
            elif ".layers." in name or ".h." in name:
                parameter.copy_(layer_std * noise)
            else:
                parameter.copy_(table_std * noise)


# Plain attention, and plain experts, which alone compute in float64, too.
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}


def random_model(config, seed: int, layer_std: float, table_std: float):
    """A float32 model of `config`, in evaluation mode."""
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, **EAGER)
    randomise(model, seed, layer_std, table_std)
    return model.eval()


def load_model(folder):
    """The model saved in `folder`, in float32 whatever it was saved in."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **EAGER).eval()
