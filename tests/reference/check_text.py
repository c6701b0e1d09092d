"""Shows that transformers loads a model folder with its tokenizer, and prints its loss on a text.

    python check_text.py --model DIR --text FILE [--window 2048] [--expect-loss X] [--tolerance 1e-3]

Prints {"loss": ..., "tokens": ...} as `framework eval --model DIR --text FILE --format json` does, whose windows are
the model's positions or `prompt.max_length`, whichever is less. Exits with 1 if the folder does not say its class, if
tensors are missing or left over, or if the loss is further than the tolerance from the expected one.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoTokenizer

from check_model import load_whole


def loss(model, ids: list[int], window: int) -> tuple[float, int]:
    """The mean loss over the windows, and how many tokens were predicted."""
    total, tokens = 0.0, 0
    for start in range(0, len(ids), window):
        part = torch.tensor([ids[start : start + window]])
        if part.shape[1] > 1:
            with torch.no_grad():
                total += model(input_ids=part, labels=part).loss.item() * (part.shape[1] - 1)
            tokens += part.shape[1] - 1
    return total / tokens, tokens


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--text", type=Path, required=True, help="a text in UTF-8")
    parser.add_argument("--window", type=int, default=2048, help="tokens that are seen at once")
    parser.add_argument("--expect-loss", type=float, help="what is to be found")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    options = parser.parse_args()
    config = AutoConfig.from_pretrained(options.model)
    model = load_whole(options.model)
    if config.architectures != [type(model).__name__]:
        sys.exit(f"the folder says {config.architectures}, the model is {type(model).__name__}")
    ids = AutoTokenizer.from_pretrained(options.model)(options.text.read_text())["input_ids"]
    found, tokens = loss(model, ids, min(options.window, config.max_position_embeddings))
    print(json.dumps({"loss": found, "tokens": tokens}))
    if options.expect_loss is not None and abs(found - options.expect_loss) > options.tolerance:
        print(f"expected {options.expect_loss}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
