"""All benchmarks of training and decoding, as a page: python everything.py > ../docs/benchmarks.md

`run.sh` makes the Python environment, builds the program and calls it. README.md describes what is measured.
"""

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# Shape, tokens of an example, examples of a step, steps, whether all weights are trained.
TRAINING = [
    ("pythia-14m", 128, 8, 14, False),
    ("pythia-14m", 128, 8, 14, True),
    ("phi3-45m", 128, 8, 10, False),
    ("phi3-45m", 128, 8, 10, True),
    ("qwen2-0.5b", 512, 1, 6, False),
]
DECODING = [("llama-45m", 256), ("llama-0.5b", 48)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--framework", type=Path, default=ROOT / "target/release/framework")
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench-all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["training", "decoding"])
    parser.add_argument("--shapes", help="some of the shapes, with commas between (all)")
    return parser.parse_args()


def script(name: str, *words: object) -> str:
    """What a script prints; its progress goes to stderr."""
    command = [sys.executable, str(HERE / name), *map(str, words)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def weights(model: Path) -> tuple[int, int]:
    """Weights that are multiplied with, of the blocks and of the vocabulary projection, by a safetensors header."""
    with (model / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    blocks = head = 0
    for name, about in header.items():
        shape = about.get("shape", [])
        if len(shape) != 2:
            continue
        count = shape[0] * shape[1]
        if "lm_head" in name or "embed_out" in name:
            head = count
        elif "embed" in name:
            head = head or count
        else:
            blocks += count
    return blocks, head


def training(args: argparse.Namespace, roof: dict, case: tuple, precision: str) -> str:
    """A line of the table."""
    shape, tokens, batch, steps, full = case
    work = args.work / "training"
    words = ["--shape", shape, "--dense", tokens, "--batch-size", batch, "--steps", steps, "--warmup", 2]
    words += ["--precision", precision, "--rounds", args.rounds, "--json", "--work", work]
    words += ["--framework", args.framework, *(["--full"] if full else [])]
    found = json.loads(script("training_step.py", *words))
    ours, *theirs = found["sides"]
    flops = 2 * tokens * batch * sum(weights(work / "model")) * (3 if full else 2)
    seconds = tokens * batch / ours["tokens_per_second"]
    share = flops / seconds / 1e9 / roof[precision]

    def against(side: dict) -> str:
        both = zip(ours["tokens_per_second_by_round"], side["tokens_per_second_by_round"])
        ratios = [a / b for a, b in both]
        return f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"

    plan = subprocess.run(
        [args.framework, "check", work / "bench.toml", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    planned = sum(json.loads(plan.stdout)["memory"].values())
    sizes = [ours["peak_bytes"], planned, *(side["peak_bytes"] for side in theirs)]
    memory = ", ".join(f"{size / 2**20:.0f}" for size in sizes)
    cells = [
        f"{shape}, {'all weights' if full else 'LoRA'}, {batch} × {tokens}",
        precision,
        f"{1000 * seconds:.0f}",
        *[against(side) for side in theirs],
        f"{100 * share:.0f} %",
        memory,
        f"{found['agreement']['loss']:.0e}",
    ]
    return f"| {' | '.join(cells)} |"


def wanted(args: argparse.Namespace, shape: str) -> bool:
    """Whether a shape is to be measured."""
    return args.shapes is None or shape in args.shapes.split(",")


def main() -> int:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    threads = machine.cores()
    roof = json.loads(script("roof.py", threads))
    today = datetime.date.today().isoformat()
    print("# Benchmarks\n")
    print(
        f"Written by `benches/run.sh` on {today}: {machine.processor()}, {threads} cores; "
        f"{machine.version(args.framework)}. Medians of {args.rounds} rounds in which the sides take turns (least and "
        "most in brackets). [benches/README.md](../benches/README.md) says what is measured.\n"
    )
    print(
        f"The machine multiplies matrices of 2048 × 2048 at {roof['f32']:.0f} GFLOP/s in f32 and {roof['bf16']:.0f} in "
        f"bf16 (PyTorch), and reads memory at {roof['read']:.0f} GB/s.\n"
    )
    # `high` is three products in bf16.
    roof["high"] = roof["bf16"] / 3
    precisions = ("f32", "high", "bf16") if machine.has_tiles() else ("f32", "bf16")
    if args.only != "decoding":
        print("## A training step\n")
        print("All tokens are supervised. PyTorch computes bf16 by autocast, and beside our `high` in f32. Of the roof: the step's products at the "
              "machine's speed, over its time.\n")
        print("| step | precision | ms | PyTorch's time over ours | tuned malloc | of the roof | peak MiB: ours, planned, "
              "PyTorch, tuned | losses apart |")
        print("|---|---|---|---|---|---|---|---|")
        for case in TRAINING:
            for precision in precisions if wanted(args, case[0]) else ():
                print(training(args, roof, case, precision), flush=True)
    if args.only != "training":
        print("\n## Decoding\n")
        print("Greedy, one sequence; loading and the prompt do not count.")
        for shape, tokens in DECODING:
            if not wanted(args, shape):
                continue
            words = ["--shape", shape, "--tokens", tokens, "--rounds", args.rounds, "--framework", args.framework]
            print("\n" + script("decoding.py", *words, "--work", args.work / f"decoding-{shape}"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
