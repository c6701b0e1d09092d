"""The transformers side of decoding.py: python decoding_peer.py WORK make SHAPE | WORK WIDTH PROMPT TOKENS READ"""

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
def decode(work: Path, width: str, prompt: int, tokens: int, read: int) -> dict[str, float]:
    """Tokens per second behind a prompt, which does not count, and of reading a longer one."""
    model = AutoModelForCausalLM.from_pretrained(work / "model", dtype=getattr(torch, width)).eval()
    longer = torch.arange(1, read + 1)[None]
    model(longer, use_cache=True)
    start = time.perf_counter()
    model(longer, use_cache=True)
    reading = read / (time.perf_counter() - start)
    ids = torch.arange(1, prompt + 1)[None]
    out = model(ids, use_cache=True)
    cache, start = out.past_key_values, 0.0
    for step in range(tokens + 8):
        if step == 8:
            start = time.perf_counter()
        token = out.logits[:, -1:].argmax(-1)
        out = model(token, past_key_values=cache, use_cache=True)
    return {"generated": tokens / (time.perf_counter() - start), "read": reading}


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    work = Path(sys.argv[1])
    if sys.argv[2] == "make":
        make(work, sys.argv[3])
        return
    found = decode(work, sys.argv[2], *map(int, sys.argv[3:6]))
    (work / "decoding_peer.py.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
