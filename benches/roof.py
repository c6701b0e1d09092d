"""What the machine can do: python roof.py THREADS prints JSON."""

import json
import sys
import time

import torch

SIDE = 2048
# 1 GiB: no cache holds it.
READ = 1 << 28


def best(work: object, times: int) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def product(dtype: torch.dtype) -> float:
    """GFLOP/s of a product of square matrices."""
    a, b = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
    return 2 * SIDE**3 / best(lambda: a @ b, 12) / 1e9


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    numbers = torch.ones(READ)
    roof = {
        "f32": product(torch.float32),
        "bf16": product(torch.bfloat16),
        "read": 4 * READ / best(numbers.sum, 6) / 1e9,
    }
    print(json.dumps(roof))


if __name__ == "__main__":
    main()
