"""What both sides are given: the settings of a run and the folder with its files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

RANK = 8
ALPHA = 16
LEARNING_RATE = 1e-4
MAX_GRAD_NORM = 1.0


@dataclass(frozen=True)
class Settings:
    """What one run of the benchmark computes."""

    full: bool
    steps: int
    batch_size: int
    max_length: int
    threads: int
    seed: int
    # A name of shapes.py.
    shape: str = "pythia-14m"
    # Tokens of each example, all of them supervised, in place of the rows of a table; 0 for those.
    dense: int = 0
    # "f32", "high" (PyTorch computes in f32), or "bf16" (in PyTorch, autocast).
    precision: str = "f32"


@dataclass(frozen=True)
class Work:
    """The folder in which a benchmark's files lie."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def model(self) -> Path:
        """Base model and tokenizer, as transformers saves them."""
        return self.root / "model"

    @property
    def adapter(self) -> Path:
        """The LoRA adapter both sides start from, as peft saves it."""
        return self.root / "adapter"

    @property
    def table(self) -> Path:
        """Exactly the rows that are trained on, in order."""
        return self.root / "rows.csv"

    @property
    def texts(self) -> Path:
        """In its place, texts of which each word is a token."""
        return self.root / "rows.jsonl"

    @property
    def examples(self) -> Path:
        """The same rows as a list of `{"ids", "prompt"}`, `prompt` being a number of tokens."""
        return self.root / "examples.json"

    @property
    def recipe(self) -> Path:
        return self.root / "bench.toml"

    @property
    def run(self) -> Path:
        """The run folder that the framework writes."""
        return self.root / "run"

    @property
    def peer_result(self) -> Path:
        """What the PyTorch loop writes."""
        return self.root / "pytorch.json"

    def log(self, side: str) -> Path:
        """Output of a side's process."""
        return self.root / f"{side}.log"

    def save(self, settings: Settings) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.settings.write_text(json.dumps(asdict(settings), indent=2) + "\n")

    def load(self) -> Settings:
        return Settings(**json.loads(self.settings.read_text()))


def step_tokens(work: Work, settings: Settings) -> list[int]:
    """Tokens of each step's batch, without padding."""
    lengths = [len(example["ids"]) for example in json.loads(work.examples.read_text())]
    size = settings.batch_size
    return [sum(lengths[i * size : (i + 1) * size]) for i in range(settings.steps)]
