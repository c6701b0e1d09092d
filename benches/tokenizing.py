"""Rows per second from CSV to tokens, the framework against `datasets`: python tokenizing.py [FILE.csv]

README.md describes what is measured and how to read it.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import alpaca
import machine
from sides import Failed, Process, execute, thread_variables

ROOT = Path(__file__).resolve().parent.parent
OURS = "framework"
# How `datasets` is asked to map.
PEERS = {
    "datasets, row by row": "rows",
    "datasets, batched": "batched",
    "datasets, batched, 2 processes": "processes",
}


@dataclass
class Run:
    """One process, from start to end."""

    process: Process
    # Reading and tokenizing; for us, everything.
    seconds: float
    # The same, of all threads and processes together.
    cpu_seconds: float
    rows: int
    # A hash of all ids and labels.
    digest: str


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    shipped = ROOT / "recipes/data/handbook.csv"
    parser.add_argument("data", type=Path, nargs="?", default=shipped, help="(handbook.csv)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows in all (100000)")
    parser.add_argument("--distinct", action="store_true", help="number the rows, so that no two are equal")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side (1)")
    parser.add_argument("--max-length", type=int, default=512, help="tokens per example (512)")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="(all cores)")
    parser.add_argument("--json", action="store_true", help="print every measurement as JSON")
    parser.add_argument(
        "--framework", type=Path, default=ROOT / "target/release/framework", help="our program"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "target/bench/tokenizing", help="folder for files")
    args = parser.parse_args()
    for file in (args.data, args.framework):
        if not file.is_file():
            parser.error(f"there is no file {file}")
    return args


def make_inputs(args: argparse.Namespace) -> None:
    """The repeated table, a tokenizer trained on it, and our recipe."""
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    rows = alpaca.read_rows(args.data)
    if not rows:
        raise Failed(f"{args.data} has no rows")
    repeated = list(islice(cycle(rows), args.rows))
    if args.distinct:
        repeated = [row | {"instruction": f"{row['instruction']} ({n})"} for n, row in enumerate(repeated)]
    alpaca.write_rows(args.work / "rows.csv", repeated)
    settings = {"max_length": args.max_length}
    (args.work / "settings.json").write_text(json.dumps(settings))
    run_script(args, "tokenizer", str(args.data.resolve()))
    quoted = {name: json.dumps(str(args.work / name)) for name in ("rows.csv", "tokenizer")}
    (args.work / "bench.toml").write_text(
        f"""\
name = "tokenizing"

[model]
plugin = "pythia"
config = {{ vocab_size = 50304, hidden_size = 128, num_hidden_layers = 6, num_attention_heads = 4, intermediate_size = 512 }}

[tokenizer]
path = {quoted["tokenizer"]}

[[dataset]]
plugin = "instruction-csv"
path = {quoted["rows.csv"]}

[prompt]
template = "alpaca"
max_length = {args.max_length}
""",
        encoding="utf-8",
    )


def run_script(args: argparse.Namespace, mode: str, *more: str) -> Process:
    script = Path(__file__).with_name("tokenizing_peer.py")
    command = [sys.executable, str(script), str(args.work), mode, *more]
    # Fast tokenizers split batches among threads; row by row, there is nothing to split.
    parallel = {"TOKENIZERS_PARALLELISM": "false" if mode in ("rows", "processes") else "true"}
    cache = {"HF_HOME": str(args.work / "hf"), "HF_HUB_OFFLINE": "1"}
    env = thread_variables(args.threads) | parallel | cache
    return execute(mode, command, args.work / f"{mode}.log", env)


def run_ours(args: argparse.Namespace) -> Run:
    to = args.work / "ours.parquet"
    command = [str(args.framework.resolve()), "prepare", str(args.work / "bench.toml")]
    command += ["--to", str(to), "--as", "tokens"]
    process = execute(OURS, command, args.work / "ours.log", thread_variables(args.threads))
    run_script(args, "digest", str(to))
    result = json.loads((args.work / "digest.json").read_text())
    return Run(process, process.wall_seconds, process.cpu_seconds, result["rows"], result["digest"])


def run_peer(args: argparse.Namespace, mode: str) -> Run:
    shutil.rmtree(args.work / "hf", ignore_errors=True)
    process = run_script(args, mode)
    result = json.loads((args.work / f"{mode}.json").read_text())
    return Run(process, *(result[key] for key in ("seconds", "cpu_seconds", "rows", "digest")))


def measure(args: argparse.Namespace) -> dict[str, list[Run]]:
    """All rounds of all sides, taking turns."""
    runs: dict[str, list[Run]] = {side: [] for side in (OURS, *PEERS)}
    for number in range(1, args.rounds + 1):
        for side, done in runs.items():
            print(f"round {number} of {args.rounds}: {side} …", file=sys.stderr, flush=True)
            done.append(run_ours(args) if side == OURS else run_peer(args, PEERS[side]))
    return runs


def table(runs: dict[str, list[Run]]) -> str:
    ours = runs[OURS]
    lines = ["| side | seconds | CPU seconds | rows/s | peak MiB | theirs/ours, time | theirs/ours, memory |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for side, of_side in runs.items():
        seconds = median(run.seconds for run in of_side)
        cpu = median(run.cpu_seconds for run in of_side)
        peak = median(run.process.peak_bytes for run in of_side)
        speed = median(run.seconds / own.seconds for run, own in zip(of_side, ours))
        memory = median(run.process.peak_bytes / own.process.peak_bytes for run, own in zip(of_side, ours))
        lines.append(
            f"| {side} | {seconds:.2f} | {cpu:.2f} | {of_side[0].rows / seconds:.0f} | {peak / 2**20:.0f} "
            f"| {speed:.2f} | {memory:.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    args = arguments()
    args.work = args.work.resolve()
    try:
        make_inputs(args)
        runs = measure(args)
    except (Failed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    agree = len({(run.rows, run.digest) for of_side in runs.values() for run in of_side}) == 1
    about = machine.describe() | {"framework": machine.version(args.framework.resolve())}
    if args.json:
        sides = {side: [asdict(run) for run in of_side] for side, of_side in runs.items()}
        print(json.dumps({"machine": about, "agree": agree, "sides": sides}, indent=2))
    else:
        others = [run.process.other_cores for of_side in runs.values() for run in of_side]
        print(f"{about['processor']}, {about['cores']} cores, {args.threads} threads; {about['framework']}")
        print(table(runs))
        print(f"ids and labels of all sides are {'equal' if agree else 'NOT EQUAL'}")
        if any(cores and cores > 0.1 for cores in others):
            print(f"other processes kept up to {max(filter(None, others)):.1f} cores busy: measure again")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
