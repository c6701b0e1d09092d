"""What the contract costs of a small model's training step: the contract alone, on a host that computes nothing, beside the
time of the real step.

    cargo build --release --workspace && cargo bench --workspace --bench contract --no-run
    python3 contract.py [--release ../target/release] [--rounds 5] [--json]

The model is a Llama of two blocks (hidden 64) with LoRA (r 8) at every projection, moved by AdamW, in batches of one
sequence: so small that the contract's share is at its largest. The way back does not cross the contract. Needs nothing but
Python.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from small_run import arguments, library, train, write_recipe

MODEL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
}


def alone(release: Path) -> dict:
    """The costs on a host that computes nothing, by what is linked in and what is loaded."""
    programs = [path for path in (release / "deps").glob("contract-*") if path.suffix in ("", ".exe")]
    if not programs:
        sys.exit("build the benchmark first: cargo bench --workspace --bench contract --no-run")
    libraries = [str(library(release, kind)) for kind in ("models", "adapters", "optimizers")]
    newest = max(programs, key=lambda path: path.stat().st_mtime)
    command = [str(newest), "--json", *libraries]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stderr}")
    return json.loads(ended.stdout)


def step(release: Path, folder: Path) -> float:
    """Microseconds of a real step: the mean of 400."""
    summary = json.loads((train(release, folder, "run") / "summary.json").read_text())
    return summary["seconds"] / summary["steps"] * 1e6


def main() -> None:
    given = arguments(__doc__, rounds=5)
    costs = alone(given.release)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_recipe(folder, "llama", MODEL, max_length=64, steps=400, batch=1)
        real = statistics.median(step(given.release, folder) for _ in range(given.rounds))
    share = {name: rows[-1]["microseconds"] / real for name, rows in costs.items()}
    if given.json:
        print(json.dumps({"contract": costs, "step": real, "share": share}, indent=2))
        return
    print(f"{'':42}{'operators':>11}{'requests':>11}" + "".join(f"{'µs ' + name:>15}" for name in costs))
    for rows in zip(*costs.values()):
        times = "".join(f"{row['microseconds']:15.3f}" for row in rows)
        print(f"{rows[0]['what']:42}{rows[0]['operators']:11}{rows[0]['requests']:11}{times}")
    shares = ", ".join(f"{100 * part:.1f} % {name}" for name, part in share.items())
    print(f"a real step takes {real:.0f} µs; of that, the contract {shares}")


if __name__ == "__main__":
    main()
