"""What the contract costs of a small model's training step: the contract alone, on a host that computes nothing, beside the
time of the real step.

    cargo build --release --workspace && cargo bench --workspace --bench contract --no-run
    python3 contract.py [--release ../target/release] [--rounds 5] [--json]

The model is a Llama of two blocks (hidden 64) with LoRA (r 8) at every projection, moved by AdamW, in batches of one
sequence: so small that the contract's share is at its largest. The way back does not cross the contract. Needs nothing but
Python.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = """\
name = "bench"
seed = 1

[model]
plugin = "llama"

[model.config]
vocab_size = 512
hidden_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
intermediate_size = 128

[tokenizer]
train = {{ kind = "byte-level-bpe", vocab_size = 512 }}

[[dataset]]
plugin = "instruction-csv"
path = {table}

[prompt]
template = "plain"
max_length = 64

[adapter]
plugin = "lora"
r = 8
targets = "all-linear"

[optimizer]
plugin = "adamw"
learning_rate = 1e-4

[train]
max_steps = 400
batch_size = 1
shuffle = false
log_every = 1
save_every = "end"

[report]
tensorboard = false
html = false
"""


def alone(release: Path) -> dict:
    """The costs on a host that computes nothing, by what is linked in and what is loaded."""
    programs = [path for path in (release / "deps").glob("contract-*") if path.suffix in ("", ".exe")]
    if not programs:
        sys.exit("build the benchmark first: cargo bench --workspace --bench contract --no-run")
    suffix = {"darwin": "dylib"}.get(sys.platform, "so")
    libraries = [str(release / f"libplugin_{kind}.{suffix}") for kind in ("models", "adapters", "optimizers")]
    newest = max(programs, key=lambda path: path.stat().st_mtime)
    return json.loads(subprocess.run([newest, "--json", *libraries], check=True, capture_output=True, text=True).stdout)


def step(release: Path, folder: Path) -> float:
    """Microseconds of a real step: the mean of 400."""
    command = [str(release / "framework"), "train", "bench.toml", "--set", f"output={folder / 'run'}"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stderr}")
    newest = max(folder.glob("run*"), key=lambda path: path.stat().st_mtime)
    summary = json.loads((newest / "summary.json").read_text())
    return summary["seconds"] / summary["steps"] * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, default=REPOSITORY / "target/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    release = arguments.release.resolve()
    costs = alone(release)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table = json.dumps(str(REPOSITORY / "recipes/data/handbook.csv"))
        (folder / "bench.toml").write_text(RECIPE.format(table=table))
        real = statistics.median(step(release, folder) for _ in range(arguments.rounds))
    share = {name: rows[-1]["microseconds"] / real for name, rows in costs.items()}
    if arguments.json:
        print(json.dumps({"contract": costs, "step": real, "share": share}, indent=2))
        return
    print(f"{'':42}{'operators':>11}{'requests':>11}" + "".join(f"{'µs ' + name:>15}" for name in costs))
    for rows in zip(*costs.values()):
        times = "".join(f"{row['microseconds']:15.3f}" for row in rows)
        print(f"{rows[0]['what']:42}{rows[0]['operators']:11}{rows[0]['requests']:11}{times}")
    print(f"a real step takes {real:.0f} µs; of that, the contract " + ", ".join(f"{100 * part:.1f} % {name}" for name, part in share.items()))


if __name__ == "__main__":
    main()
