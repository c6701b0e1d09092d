"""Token batches: random examples, padding, supervised-token counts."""

import random

import torch

IGNORED = -100
PAD = 0


def random_ids(rng: random.Random, length: int, vocab: int) -> list[int]:
    """`length` token ids in 1..vocab, leaving out 0, which is used for padding."""
    return [rng.randrange(1, vocab) for _ in range(length)]


def random_example(rng: random.Random, length: int, prompt: int, vocab: int) -> dict:
    """An example of `length` tokens whose first `prompt` labels are ignored."""
    ids = random_ids(rng, length, vocab)
    return {"input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]}


def random_examples(rng: random.Random, count: int, vocab: int) -> list[dict]:
    """`count` examples of 5 to 14 tokens with prompts of 0 to 4 tokens."""
    return [
        random_example(rng, rng.randint(5, 14), rng.randint(0, 4), vocab) for _ in range(count)
    ]


def right_padded(examples: list[dict]) -> dict:
    """Tensors `input_ids`, `attention_mask`, `labels` of the examples, padded on the right."""
    width = max(len(example["input_ids"]) for example in examples)
    ids, mask, labels = [], [], []
    for example in examples:
        length = len(example["input_ids"])
        padding = width - length
        ids.append(example["input_ids"] + [PAD] * padding)
        mask.append([1] * length + [0] * padding)
        labels.append(example["labels"] + [IGNORED] * padding)
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor(labels),
    }


def left_padded(prompts: list[list[int]]) -> dict:
    """Tensors `input_ids` and `attention_mask` of the prompts, padded on the left."""
    width = max(len(prompt) for prompt in prompts)
    paddings = [width - len(prompt) for prompt in prompts]
    return {
        "input_ids": torch.tensor([[PAD] * n + p for n, p in zip(paddings, prompts)]),
        "attention_mask": torch.tensor([[0] * n + [1] * len(p) for n, p in zip(paddings, prompts)]),
    }


def supervised_tokens(labels) -> int:
    """How many predictions are scored: labels that count, less the first of each row.

    The first token of a row has no predecessor to predict it from, so the
    loss never sees its label.
    """
    return sum(label != IGNORED for row in torch.as_tensor(labels).tolist() for label in row[1:])
