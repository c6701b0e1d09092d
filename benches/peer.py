"""The PyTorch side: python peer.py WORK

A plain loop over the batches with transformers and peft in float32. Writes
`pytorch.json`: every step's loss, gradient norm before clipping and seconds.
"""

import json
import resource
import sys
import time
from pathlib import Path

import peft
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

from work import LEARNING_RATE, MAX_GRAD_NORM, Settings, Work

IGNORED = -100
PAD = 0


def load(work: Work, settings: Settings) -> torch.nn.Module:
    """The model to train."""
    model = AutoModelForCausalLM.from_pretrained(work.model, dtype=torch.float32)
    model.config.use_cache = False
    if not settings.full:
        model = PeftModel.from_pretrained(model, work.adapter, is_trainable=True)
    return model.train()


def batch(examples: list[dict]) -> dict[str, torch.Tensor]:
    """The examples padded on the right; labels cover response and end token."""
    width = max(len(example["ids"]) for example in examples)
    ids, mask, labels = [], [], []
    for example in examples:
        tokens, prompt = example["ids"], example["prompt"]
        padding = width - len(tokens)
        ids.append(tokens + [PAD] * padding)
        mask.append([1] * len(tokens) + [0] * padding)
        labels.append([IGNORED] * prompt + tokens[prompt:] + [IGNORED] * padding)
    tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.tensor(rows) for name, rows in tensors.items()}


def train(model: torch.nn.Module, examples: list[dict], settings: Settings) -> dict[str, list]:
    """Trains over the examples in order."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, settings.steps)
    steps = {"loss": [], "grad_norm": [], "seconds": []}
    for step in range(settings.steps):
        start = time.perf_counter()
        first = step * settings.batch_size
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
            loss = model(**batch(examples[first : first + settings.batch_size])).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        steps["loss"].append(loss.item())
        steps["grad_norm"].append(norm.item())
        steps["seconds"].append(time.perf_counter() - start)
    return steps


def main(work: Work) -> None:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    settings = work.load()
    torch.set_num_threads(settings.threads)
    model = load(work, settings)
    examples = json.loads(work.examples.read_text())
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "max_rss_loaded": loaded,
        **train(model, examples, settings),
    }
    work.peer_result.write_text(json.dumps(result))


if __name__ == "__main__":
    main(Work(Path(sys.argv[1])))
