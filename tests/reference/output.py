"""Writing the golden files: JSON with exact float32 values, and safetensors."""

import json
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file


def exact(value):
    """`value` with every float32 written in as few digits as read back to the same float32.

    Tensors and containers are converted to plain JSON values; infinities,
    which JSON lacks, become null.
    """
    if isinstance(value, torch.Tensor):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    if isinstance(value, float):
        if not numpy.isfinite(value):
            return None
        return float(str(numpy.float32(value)))
    return value


def _layout(value, indent=""):
    """JSON text with a line per object key and per row of a table, so that diffs stay readable."""
    deeper = indent + "  "
    if isinstance(value, dict):
        rows = [f"{json.dumps(key)}: {_layout(item, deeper)}" for key, item in value.items()]
        opening, closing = "{}"
    elif isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value):
        rows = [_layout(item, deeper) for item in value]
        opening, closing = "[]"
    else:
        return json.dumps(value)
    body = ",\n".join(deeper + row for row in rows)
    return f"{opening}\n{body}\n{indent}{closing}"


def write_json(path: Path, value) -> None:
    """Write `value`, float32 values exactly, as readable JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_layout(exact(value)) + "\n")


def write_tensors(path: Path, tensors: dict) -> None:
    """Write named tensors as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)
