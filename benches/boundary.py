"""What the plugin boundary costs: the same training with built-in plugins and with all of them from libraries.

    cargo build --release --workspace
    python3 boundary.py [--release ../target/release] [--rounds 7] [--json]

Both sides are one program. A round is a run of each, one after the other, in turns; the batches are the same, so the speed
of every step is compared with that of the same step on the other side. `tiny` is so small that most of a step is the
boundary and the tensor library's own cost of an operator; `small` has the shape of Pythia-14m with a smaller vocabulary.
Needs nothing but Python.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
KINDS = ("datasets", "augmenters", "models", "adapters", "optimizers", "decoders")
SIZES = {
    "tiny": {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "batch": 1, "steps": 200},
    "small": {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 4, "batch": 8, "steps": 40},
}
WARM_UP = 5
RECIPE = """\
name = "bench"
seed = 1

[model]
plugin = "pythia"

[model.config]
vocab_size = 512
hidden_size = {hidden_size}
intermediate_size = {intermediate_size}
num_attention_heads = {num_attention_heads}
num_hidden_layers = 6
max_position_embeddings = 256

[tokenizer]
train = {{ kind = "byte-level-bpe", vocab_size = 512 }}

[[dataset]]
plugin = "instruction-csv"
path = {table}

[prompt]
template = "plain"
max_length = 160

[adapter]
plugin = "lora"
targets = "all-linear"

[optimizer]
plugin = "adamw"
learning_rate = 1e-4

[train]
max_steps = {steps}
batch_size = {batch}
shuffle = false
log_every = 1
save_every = "end"
"""


def speeds(release: Path, folder: Path, loaded: bool) -> list[float]:
    """Tokens per second of each step after the first few."""
    command = [str(release / "framework")]
    if loaded:
        command.append("--no-built-in")
    command += ["train", "bench.toml"]
    if loaded:
        suffix = {"darwin": "dylib"}.get(sys.platform, "so")
        for kind in KINDS:
            command += ["--plugin", str(release / f"libplugin_{kind}.{suffix}")]
    run = "loaded" if loaded else "linked"
    command += ["--set", f"output={folder / run}"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=None)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stderr}")
    newest = max(folder.glob(f"{run}*"), key=lambda path: path.stat().st_mtime)
    lines = [json.loads(line) for line in (newest / "metrics.jsonl").read_text().splitlines()]
    return [line["tokens_per_second"] for line in lines if line.get("tokens_per_second") is not None][WARM_UP:]


def compare(release: Path, name: str, rounds: int) -> dict:
    """The ratio of speeds, step by step, and seconds of a step relative to each other."""
    size = SIZES[name]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table = json.dumps(str(REPOSITORY / "recipes/data/handbook.csv"))
        (folder / "bench.toml").write_text(RECIPE.format(table=table, **size))
        ratios = []
        for round_ in range(rounds):
            order = (False, True) if round_ % 2 == 0 else (True, False)
            found = {loaded: speeds(release, folder, loaded) for loaded in order}
            # Above 1: libraries take longer.
            ratios.append(statistics.median(a / b for a, b in zip(found[False], found[True])))
    return {"size": name, "rounds": ratios, "median": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, default=REPOSITORY / "target/release")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = [compare(arguments.release.resolve(), name, arguments.rounds) for name in SIZES]
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print("time of a step with libraries, over that with built-in plugins")
    for row in found:
        print(f"{row['size']:6} {row['median']:.4f}  ({min(row['rounds']):.4f} to {max(row['rounds']):.4f})")


if __name__ == "__main__":
    main()
