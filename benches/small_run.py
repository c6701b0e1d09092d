"""What the benchmarks of the plugin boundary share: a training run that is over in seconds, from scratch on a table of the
repository."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
KINDS = ("datasets", "augmenters", "models", "adapters", "optimizers", "decoders")
RECIPE = """\
name = "bench"
seed = 1

[tokenizer]
train = {{ kind = "byte-level-bpe", vocab_size = 512 }}

[[dataset]]
plugin = "instruction-csv"
path = {table}

[prompt]
template = "plain"
max_length = {max_length}

[adapter]
plugin = "lora"
r = 8
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

[report]
tensorboard = false
html = false

[model]
plugin = "{model}"

[model.config]
vocab_size = 512
"""


def arguments(description: str, rounds: int) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=Path, default=REPOSITORY / "target/release")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    given.release = given.release.resolve()
    return given


def write_recipe(folder: Path, model: str, config: dict, **settings: int) -> None:
    """Writes `bench.toml`: steps of `batch` sequences of `max_length` tokens at most."""
    table = json.dumps(str(REPOSITORY / "recipes/data/handbook.csv"))
    text = RECIPE.format(model=model, table=table, **settings)
    text += "".join(f"{key} = {value}\n" for key, value in config.items())
    (folder / "bench.toml").write_text(text)


def library(release: Path, kind: str) -> Path:
    """The library with the built-in plugins of this kind, as the system names it."""
    prefix, suffix = {"darwin": ("lib", "dylib"), "win32": ("", "dll")}.get(sys.platform, ("lib", "so"))
    return release / f"{prefix}plugin_{kind}.{suffix}"


def train(release: Path, folder: Path, run: str, loaded: bool = False) -> Path:
    """Trains by `bench.toml`, with all plugins from libraries if `loaded`, and returns the run's folder."""
    command = [str(release / "framework")]
    if loaded:
        command.append("--no-built-in")
    command += ["train", "bench.toml", "--set", f"output={folder / run}"]
    if loaded:
        for kind in KINDS:
            command += ["--plugin", str(library(release, kind))]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ended.stderr}")
    # A run of the same name before it was renamed.
    return folder / run
