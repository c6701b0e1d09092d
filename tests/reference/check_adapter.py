"""Shows that peft loads an adapter, and prints its loss on examples.

    python check_adapter.py --model DIR --adapter DIR --examples train.json
        [--expect-loss X] [--tolerance 1e-3]

Prints {"loss": ..., "tokens": ...}: the mean loss over all supervised tokens
of the examples and their number. Exits with 1 if the adapter's tensors are not
exactly those that peft expects by its configuration, or if an expected loss is
given and the loss is further from it than the tolerance.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open

from environment import make_deterministic
from layouts import hub_name
from models import load_model
from training import mean_loss


def load_adapted(model: Path, adapter: Path) -> PeftModel:
    """The model with the adapter, after checking that no tensor is missing or left over.

    peft only warns of a missing tensor, and ignores one it does not know.
    """
    adapted = PeftModel.from_pretrained(load_model(model), str(adapter)).eval()
    state = get_peft_model_state_dict(adapted)
    expected = {hub_name(name): list(tensor.shape) for name, tensor in state.items()}
    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
        found = {hub_name(name): file.get_slice(name).get_shape() for name in file.keys()}
    if found != expected:
        sys.exit(f"tensors of the adapter: {found}\nwhat peft expects: {expected}")
    return adapted


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--adapter", type=Path, required=True, help="folder of the adapter")
    parser.add_argument("--examples", type=Path, required=True, help="file laid out as train.json")
    parser.add_argument("--expect-loss", type=float)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    make_deterministic()
    model = load_adapted(options.model, options.adapter)
    examples = json.loads(options.examples.read_text())["examples"]
    loss, tokens = mean_loss(model, examples)
    print(json.dumps({"loss": loss, "tokens": tokens}))
    expected = options.expect_loss
    # Written so that a loss that is not a number fails too.
    return 0 if expected is None or abs(loss - expected) <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
