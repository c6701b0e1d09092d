"""Tokens per second of greedy generation, one sequence at a time: python decoding.py --shape llama-45m

README.md describes what is measured and how to read it.
"""

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import machine
from sides import Failed, execute, thread_variables

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
# Number formats of the weights: ours, and what transformers calls them.
WIDTHS = {"f32": "float32", "bf16": "bfloat16", "int8": None, "nf4": None}
# And what llama.cpp is measured with.
LLAMA = {"f32": ["f32"], "bf16": ["bf16", "f16"], "int8": ["int8"]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--shape", default="llama-45m", help="a name of shapes.py (llama-45m)")
    parser.add_argument("--prompt", type=int, default=16, help="tokens of the prompt (16)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens that are timed (256)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="(all cores)")
    parser.add_argument("--read", type=int, default=512, help="tokens of a prompt whose reading is timed (512)")
    parser.add_argument("--widths", default=",".join(WIDTHS), help="(f32,bf16,int8,nf4)")
    parser.add_argument("--only", choices=["ours"], help="run one side alone")
    parser.add_argument("--framework", type=Path, default=ROOT / "target/release/framework")
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench-decoding")
    return parser.parse_args()


def ours(args: argparse.Namespace, width: str, prompt: int, tokens: int, prompts: int = 1) -> float:
    """Seconds of a process that reads and generates so many tokens, for some prompts one after the other."""
    words = " ".join(f"w{i + 1}" for i in range(prompt))
    file = args.work / "prompts.txt"
    file.write_text(f"{words}\n" * prompts)
    settings = {
        "max_new_tokens": tokens,
        "min_new_tokens": tokens,
        "generate.plugin": "greedy",
        "backend.frozen": width,
    }
    command = [str(args.framework.resolve()), "generate", str(args.work / "model"), "--raw", "--prompts", str(file)]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    log = args.work / f"ours-{width}.log"
    return execute(f"framework, {width}", command, log, thread_variables(args.threads)).wall_seconds


def per_second(args: argparse.Namespace, width: str) -> tuple[float, float]:
    """Tokens that are generated, and read, from two lengths of each, so that loading does not count."""
    few, prompts = 8, 8
    least = ours(args, width, args.prompt, few)
    generated = args.tokens / (ours(args, width, args.prompt, args.tokens + few) - least)
    least = ours(args, width, args.prompt, 1, prompts)
    reading = ours(args, width, args.prompt + args.read, 1, prompts) - least
    return generated, prompts * args.read / reading


def theirs(args: argparse.Namespace, script: str, width: str) -> tuple[float, float]:
    """What a peer's script measures of itself."""
    result = args.work / f"{script}.json"
    result.unlink(missing_ok=True)
    sizes = map(str, (args.prompt, args.tokens, args.read))
    command = [sys.executable, str(HERE / script), str(args.work), width, *sizes]
    execute(script, command, args.work / f"{script}.log", thread_variables(args.threads))
    found = json.loads(result.read_text())
    return found["generated"], found["read"]


def sides(args: argparse.Namespace) -> dict[str, object]:
    """What is measured, by its name."""
    all_sides = {}
    peers = args.only is None
    with_llama = peers and find_spec("llama_cpp") is not None
    for width in args.widths.split(","):
        all_sides[f"framework, {width}"] = lambda width=width: per_second(args, width)
        if WIDTHS[width] and peers:
            name = WIDTHS[width]
            all_sides[f"transformers, {name}"] = lambda name=name: theirs(args, "decoding_peer.py", name)
        for name in LLAMA.get(width, []) if with_llama else []:
            shown = "Q8_0" if name == "int8" else name
            all_sides[f"llama.cpp, {shown}"] = lambda name=name: theirs(args, "decoding_llama.py", name)
    return all_sides


def main() -> int:
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    args.work = args.work.resolve()
    command = [sys.executable, str(HERE / "decoding_peer.py"), str(args.work), "make", args.shape]
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        execute("preparing", command, args.work / "prepare.log", thread_variables(args.threads))
        for number in range(1, args.rounds + 1):
            for name, measure in sides(args).items():
                print(f"round {number} of {args.rounds}: {name} …", file=sys.stderr, flush=True)
                found.setdefault(name, []).append(measure())
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    sizes = f"{args.tokens} tokens generated behind {args.prompt}, {args.read} read"
    print(f"{args.shape}, {sizes}; {machine.processor()}, {args.threads} threads")
    print("\n| weights | generated, tokens/s (min–max) | read, tokens/s (min–max) |\n| --- | ---: | ---: |")
    for name, rates in found.items():
        cells = [f"{median(all):.1f} ({min(all):.1f}–{max(all):.1f})" for all in zip(*rates)]
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
