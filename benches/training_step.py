"""Training steps per second, the framework against PyTorch: python training_step.py --data FILE.csv

README.md describes what is measured and how to read it.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import machine
import report
from sides import OURS, PLUGINS, PYTORCH, TUNED, Failed, Run, prepare, run_ours, run_pytorch
from work import Settings, Work, step_tokens

ROOT = Path(__file__).resolve().parent.parent


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--data", type=Path, help="CSV: instruction, input, output")
    parser.add_argument(
        "--dense", type=positive, help="in its place, random texts of so many tokens, all supervised"
    )
    parser.add_argument("--shape", choices=list(PLUGINS), default="pythia-14m", help="(pythia-14m)")
    parser.add_argument("--precision", choices=["f32", "high", "bf16"], default="f32", help="(f32)")
    parser.add_argument("--full", action="store_true", help="train all weights instead of LoRA")
    parser.add_argument("--steps", type=positive, default=50, help="steps per run (50)")
    parser.add_argument("--warmup", type=int, default=3, help="steps not counted (3)")
    parser.add_argument("--rounds", type=positive, default=3, help="runs of each side (3)")
    parser.add_argument("--batch-size", type=positive, default=8, help="examples per step (8)")
    parser.add_argument("--max-length", type=positive, default=512, help="tokens per example (512)")
    parser.add_argument("--threads", type=positive, default=machine.cores(), help="(all cores)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and adapter (1)")
    parser.add_argument("--only", choices=["ours", "pytorch"], help="run one side alone")
    parser.add_argument("--no-tuned", action="store_true", help="leave the tuned allocator out")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON")
    parser.add_argument(
        "--framework", type=Path, default=ROOT / "target/release/framework", help="our program"
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "target/bench", help="folder for files (target/bench)"
    )
    args = parser.parse_args()
    if not 0 <= args.warmup < args.steps:
        parser.error("--warmup must be less than --steps")
    if (args.data is None) == (args.dense is None):
        parser.error("name either --data or --dense")
    if args.data and not args.data.is_file():
        parser.error(f"there is no file {args.data}")
    if args.only != "pytorch" and not args.framework.is_file():
        parser.error(f"there is no {args.framework}: cargo build --release, or --only pytorch")
    return args


def chosen_sides(args: argparse.Namespace) -> list[str]:
    """The sides that run, in the order in which they take turns."""
    tuned = [TUNED] if machine.glibc() and not args.no_tuned else []
    sides = {"ours": [OURS], "pytorch": [PYTORCH, *tuned]}
    return sides[args.only] if args.only else sides["ours"] + sides["pytorch"]


def measure(args: argparse.Namespace, work: Work, settings: Settings) -> dict[str, list[Run]]:
    """All rounds of all sides, taking turns."""
    runs: dict[str, list[Run]] = {side: [] for side in chosen_sides(args)}
    for number in range(1, args.rounds + 1):
        for side, done in runs.items():
            print(f"round {number} of {args.rounds}: {side} …", file=sys.stderr, flush=True)
            if side == OURS:
                done.append(run_ours(work, settings, args.framework.resolve()))
            else:
                done.append(run_pytorch(work, settings, side))
    return runs


def notes(
    args: argparse.Namespace, runs: dict[str, list[Run]], about: dict, tokens: list[int]
) -> str:
    """What stands above the table."""
    lines = [
        f"{'all weights' if args.full else 'LoRA'}, {args.precision}, {args.shape}; rounds: {args.rounds}, "
        f"steps of each: {args.steps} ({args.warmup} not counted)",
        f"a step: {args.batch_size} examples, {sum(tokens) / len(tokens):.0f} tokens on average",
        f"{about['processor']}, {about['cores']} cores, {args.threads} threads; {about['system']}",
    ]
    versions = [f"Python {about['python']}"]
    if OURS in runs:
        versions.insert(0, about["framework"])
    if peer := report.peer_name(runs):
        details = runs[peer][0].details
        versions += [f"{name} {version}" for name, version in details["versions"].items()]
        versions.append(f"torch uses {details['instructions']}")
    lines.append(", ".join(versions))
    return "\n".join(lines)


def main() -> int:
    args = arguments()
    about = machine.describe()
    work = Work(args.work.resolve())
    settings = Settings(
        full=args.full,
        steps=args.steps,
        batch_size=args.batch_size,
        max_length=args.max_length,
        threads=args.threads,
        seed=args.seed,
        shape=args.shape,
        dense=args.dense or 0,
        precision=args.precision,
    )
    print("making model, tokenizer and examples …", file=sys.stderr, flush=True)
    try:
        prepare(work, settings, args.data.resolve() if args.data else None)
        runs = measure(args, work, settings)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if OURS in runs:
        about["framework"] = machine.version(args.framework.resolve())
    tokens = step_tokens(work, settings)
    summaries = [report.summarize(of_side, tokens, args.warmup) for of_side in runs.values()]
    peer = report.peer_name(runs)
    found = report.agreement(runs[OURS][-1], runs[peer][-1]) if OURS in runs and peer else None
    if args.json:
        sides = report.to_json(runs, summaries)
        result = {"machine": about, "settings": asdict(settings), "warmup": args.warmup}
        result |= {"tokens": tokens, "agreement": found, "sides": sides}
        print(json.dumps(result, indent=2))
    else:
        print(notes(args, runs, about, tokens), report.table(summaries), sep="\n\n")
        remarks = [found and report.agreement_line(found), report.disturbance(runs)]
        print("", *filter(None, remarks), sep="\n")
    return 0 if found is None or found["agree"] else 1


if __name__ == "__main__":
    sys.exit(main())
