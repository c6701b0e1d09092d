"""Writes tests/golden/gguf/blocks.safetensors: numbers, the blocks that the gguf package makes of them, and back.

    python gguf_blocks.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants
from safetensors.numpy import save_file

BLOCKS = 96


def numbers() -> np.ndarray:
    """Rows of many sizes: halves of steps, zeros, one large number among small ones, and numbers of any kind."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(BLOCKS, 32)) * 10.0 ** random.uniform(-6, 3, size=(BLOCKS, 1))
    rows[0] = 0.0
    rows[1] = (np.arange(32) - 15.5) * 0.5
    rows[1, 0] = 127.0
    rows[2] = 1e-3
    rows[2, 5] = -400.0
    rows[3] = np.where(np.arange(32) % 2, 1.0, -1.0)
    return rows.astype(np.float32)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "golden" / "gguf")
    folder.mkdir(parents=True, exist_ok=True)
    rows = numbers()
    tensors = {"numbers": rows}
    for name in ("Q8_0", "BF16", "F16"):
        kind = GGMLQuantizationType[name]
        blocks = quants.quantize(rows, kind)
        tensors[name.lower()] = np.ascontiguousarray(blocks.view(np.uint8)).reshape(-1)
        tensors[f"{name.lower()}.decoded"] = quants.dequantize(blocks, kind).astype(np.float32)
    save_file(tensors, folder / "blocks.safetensors")


if __name__ == "__main__":
    main()
