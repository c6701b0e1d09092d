"""Writes what transformers generates by a generation_config.json: python generation_config.py [FOLDER]

FOLDER defaults to `golden` next to this script's folder; the file is
`generation_config.json` in it: cases with the file's content and the tokens
after each prompt, of the models of `llama/plain` and `gpt_neox/parallel`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from transformers import GenerationConfig

from environment import make_deterministic
from models import load_model
from output import write_json

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CASES = ["llama/plain", "gpt_neox/parallel"]
# The settings of the file, each with what is given as arguments of `generate`, which go before it.
FILES = [
    ({"max_new_tokens": 12}, {}),
    ({"max_length": 15}, {}),
    ({"max_length": 15}, {"max_new_tokens": 14}),
    ({"max_new_tokens": 20, "repetition_penalty": 1.4, "no_repeat_ngram_size": 2}, {}),
    ({"max_new_tokens": 20, "repetition_penalty": 1.4}, {"repetition_penalty": 1.0}),
    ({"max_new_tokens": 16, "num_beams": 3, "length_penalty": 0.5, "early_stopping": True}, {}),
    ({"max_length": 18, "num_beams": 2, "early_stopping": "never", "min_new_tokens": 5}, {}),
    # Sampling from the one likeliest token.
    ({"max_new_tokens": 12, "do_sample": True, "top_k": 1, "temperature": 0.6}, {}),
    ({"max_new_tokens": 24, "eos_token_id": "two of them"}, {}),
    ({"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 8}, {}),
]


def generate(model, prompt: list, file: dict, arguments: dict) -> list:
    """The tokens after a prompt, with the file as `from_pretrained` reads it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "generation_config.json").write_text(json.dumps(file))
        model.generation_config = GenerationConfig.from_pretrained(folder)
    ids = torch.tensor([prompt])
    with torch.no_grad():
        output = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, **arguments)
    return output[0, len(prompt) :].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=GOLDEN)
    folder = parser.parse_args().folder
    make_deterministic()
    written = []
    for case in CASES:
        expected = json.loads((GOLDEN / case / "expected.json").read_text())
        model, prompts = load_model(GOLDEN / case / "model"), expected["prompts"]
        for file, arguments in FILES:
            # An id that no model here ever reaches would end nothing; these two end `greedy` early.
            eos = [expected["eos"], expected["greedy"][12]]
            file = {**file, "eos_token_id": eos if "eos_token_id" in file else None}
            tokens = [generate(model, prompt, file, arguments) for prompt in prompts]
            written.append({"case": case, "file": file, "arguments": arguments, "expected": tokens})
    write_json(folder / "generation_config.json", {"cases": written})


if __name__ == "__main__":
    main()
