"""The transformers side of decoding.py: python decoding_peer.py WORK make SHAPE 0 | WORK WIDTH PROMPT TOKENS"""

import json
import sys
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

from prepare import make_word_tokenizer
from shapes import make_model


def make(work: Path, shape: str) -> None:
    """Model and tokenizer."""
    model = make_model(shape, 1)
    model.save_pretrained(work / "model")
    make_word_tokenizer(model.config.vocab_size).save_pretrained(work / "model")


@torch.inference_mode()
def decode(work: Path, width: str, prompt: int, tokens: int) -> float:
    """Tokens per second behind a prompt, which does not count."""
    model = AutoModelForCausalLM.from_pretrained(work / "model", dtype=getattr(torch, width)).eval()
    ids = torch.arange(1, prompt + 1)[None]
    out = model(ids, use_cache=True)
    cache, start = out.past_key_values, 0.0
    for step in range(tokens + 8):
        if step == 8:
            start = time.perf_counter()
        token = out.logits[:, -1:].argmax(-1)
        out = model(token, past_key_values=cache, use_cache=True)
    return tokens / (time.perf_counter() - start)


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    work = Path(sys.argv[1])
    if sys.argv[2] == "make":
        make(work, sys.argv[3])
        return
    rate = decode(work, sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    (work / "decoding_peer.py.json").write_text(json.dumps({"per_second": rate}))


if __name__ == "__main__":
    main()
