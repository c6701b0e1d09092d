"""What the plugin boundary costs: the same training with built-in plugins and with all of them from libraries.

    cargo build --release --workspace
    python3 boundary.py [--release ../target/release] [--rounds 7] [--json]

Both sides are one program. A round is a run of each, one after the other, in turns; the batches are the same, so the speed
of every step is compared with that of the same step on the other side. `tiny` is so small that most of a step is the
boundary and the tensor library's own cost of an operator; `small` has the shape of Pythia-14m with a smaller vocabulary.
Needs nothing but Python.
"""

import json
import statistics
import tempfile
from pathlib import Path

from small_run import arguments, train, write_recipe

# The model's sizes, and the run's.
SIZES = {
    "tiny": ({"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}, {"batch": 1, "steps": 200}),
    "small": ({"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 4}, {"batch": 8, "steps": 40}),
}
BLOCKS = {"num_hidden_layers": 6, "max_position_embeddings": 256}
WARM_UP = 5


def speeds(release: Path, folder: Path, loaded: bool) -> list[float]:
    """Tokens per second of each step after the first few."""
    run = train(release, folder, "loaded" if loaded else "linked", loaded)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["tokens_per_second"] for line in lines if line.get("tokens_per_second") is not None][WARM_UP:]


def compare(release: Path, name: str, rounds: int) -> dict:
    """The ratio of speeds, step by step, and seconds of a step relative to each other."""
    model, run = SIZES[name]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_recipe(folder, "pythia", model | BLOCKS, max_length=160, **run)
        ratios = []
        for round_ in range(rounds):
            order = (False, True) if round_ % 2 == 0 else (True, False)
            found = {loaded: speeds(release, folder, loaded) for loaded in order}
            # Above 1: libraries take longer.
            ratios.append(statistics.median(a / b for a, b in zip(found[False], found[True])))
    return {"size": name, "rounds": ratios, "median": statistics.median(ratios)}


def main() -> None:
    given = arguments(__doc__, rounds=7)
    found = [compare(given.release, name, given.rounds) for name in SIZES]
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print("time of a step with libraries, over that with built-in plugins")
    for row in found:
        print(f"{row['size']:6} {row['median']:.4f}  ({min(row['rounds']):.4f} to {max(row['rounds']):.4f})")


if __name__ == "__main__":
    main()
