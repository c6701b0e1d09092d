"""Shows that transformers loads a model folder, and prints its loss on examples.

    python check_model.py --model DIR --examples train.json
        [--tokenizer] [--dtype float32] [--expect-loss X] [--tolerance 1e-3]

Prints {"loss": ..., "tokens": ..., "dtype": ..., "files": ...}: the mean loss
over all supervised tokens of the examples, their number, the number format by
config.json, and the files of weights. Exits with 1 if the folder's tensors are
not exactly those that the model has, if --tokenizer is given and AutoTokenizer
does not load one, if the number format is not the one that --dtype names, or if
an expected loss is given and the loss is further from it than the tolerance.
"""

import argparse
import json
import sys
from pathlib import Path

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from environment import make_deterministic
from training import mean_loss


def load_whole(folder: Path):
    """The model in float32, after checking that no tensor is missing or left over."""
    model, info = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype="float32", attn_implementation="eager", output_loading_info=True
    )
    wrong = {key: sorted(info[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[key]}
    if wrong:
        sys.exit(f"tensors do not fit: {wrong}")
    return model.eval()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--examples", type=Path, required=True, help="file laid out as train.json")
    parser.add_argument("--tokenizer", action="store_true", help="a tokenizer must be there")
    parser.add_argument("--dtype", help="the number format that config.json must name")
    parser.add_argument("--expect-loss", type=float)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    make_deterministic()
    model = load_whole(options.model)
    GenerationConfig.from_pretrained(str(options.model))
    if options.tokenizer:
        AutoTokenizer.from_pretrained(str(options.model))
    dtype = str(AutoConfig.from_pretrained(str(options.model)).dtype).removeprefix("torch.")
    if options.dtype not in (None, dtype):
        sys.exit(f"config.json says {dtype}, not {options.dtype}")
    examples = json.loads(options.examples.read_text())["examples"]
    loss, tokens = mean_loss(model, examples)
    files = sorted(path.name for path in options.model.glob("*.safetensors"))
    print(json.dumps({"loss": loss, "tokens": tokens, "dtype": dtype, "files": files}))
    expected = options.expect_loss
    # Written so that a loss that is not a number fails too.
    return 0 if expected is None or abs(loss - expected) <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
