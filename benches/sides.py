"""Runs a side in a process of its own and reads what it measured."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine
from work import ALPHA, LEARNING_RATE, MAX_GRAD_NORM, RANK, Settings, Work, step_tokens

OURS, PYTORCH, TUNED = "framework", "PyTorch", "PyTorch, tuned malloc"
GIB = 1 << 30
# Keeps glibc from giving freed memory back to the system, only to fault it in again a step later.
TUNED_MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 * GIB),
    "MALLOC_TRIM_THRESHOLD_": str(4 * GIB),
    "MALLOC_TOP_PAD_": str(GIB // 4),
}


class Failed(Exception):
    """A side did not run, or did not do the work that was asked of it."""


@dataclass
class Process:
    """What the system says of a process that has ended."""

    peak_bytes: int
    wall_seconds: float
    # Cores that all other processes kept busy meanwhile, if the system tells.
    other_cores: float | None
    # Seconds of all its threads and ended children together.
    cpu_seconds: float = 0.0


@dataclass
class Run:
    """One process's steps."""

    side: str
    process: Process
    loss: list[float]
    grad_norm: list[float]
    seconds: list[float]
    # Whatever else the side reports of itself.
    details: dict = field(default_factory=dict)


def execute(side: str, command: list[str], log: Path, env: dict[str, str]) -> Process:
    """Runs a command to its end.

    The kernel starts a child's peak at its parent's size, so this process must stay small: it
    imports no torch.
    """
    start, busy = time.perf_counter(), machine.busy_seconds()
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **env}
            )
        except OSError as error:
            raise Failed(f"{command[0]} cannot be started: {error}") from error
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise Failed(f"{side} ended with {process.returncode}; the end of {log}:\n{tail}")
    wall, others = time.perf_counter() - start, None
    own = usage.ru_utime + usage.ru_stime
    if busy is not None:
        others = max(0.0, machine.busy_seconds() - busy - own) / wall
    return Process(machine.max_rss_bytes(usage.ru_maxrss), wall, others, own)


def thread_variables(threads: int) -> dict[str, str]:
    """The variables from which thread pools take their size."""
    names = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"TOKENIZERS_PARALLELISM": "false"}


def prepare(work: Work, settings: Settings, table: Path | None) -> None:
    """Makes everything that both sides read."""
    work.save(settings)
    script = Path(__file__).with_name("prepare.py")
    command = [sys.executable, str(script), str(work.root), *([str(table)] if table else [])]
    execute("preparing", command, work.log("prepare"), thread_variables(settings.threads))


# The plugins of shapes.py, which imports torch.
PLUGINS = {"pythia-14m": "pythia", "phi3-45m": "phi-3", "qwen2-0.5b": "qwen", "llama-45m": "llama", "llama-0.5b": "llama"}


def write_recipe(work: Work, settings: Settings) -> None:
    """The recipe of our side."""

    def toml(value: object) -> str:
        return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)

    adapter = 'plugin = "full"'
    if not settings.full:
        adapter = f"""plugin = "lora"
r = {RANK}
alpha = {ALPHA}
dropout = 0.0
init_from = {toml(work.adapter)}"""
    dataset = f"""plugin = "instruction-csv"
path = {toml(work.table)}"""
    if settings.dense:
        dataset = f"""plugin = "jsonl"
path = {toml(work.texts)}"""
    work.recipe.write_text(
        f"""\
name = "bench"
seed = {settings.seed}
output = {toml(work.run)}

[model]
plugin = {toml(PLUGINS[settings.shape])}
weights = {toml(work.model)}

[[dataset]]
{dataset}

[prompt]
template = {toml("plain" if settings.dense else "alpaca")}
max_length = {settings.max_length}

[backend]
precision = {toml(settings.precision)}

[adapter]
{adapter}

[optimizer]
plugin = "adamw"
learning_rate = {LEARNING_RATE}
weight_decay = 0.0

[train]
max_steps = {settings.steps}
batch_size = {settings.batch_size}
gradient_accumulation = 1
schedule = "linear"
warmup_steps = 0
max_grad_norm = {MAX_GRAD_NORM}
shuffle = false
log_every = 1
save_every = "end"
""",
        encoding="utf-8",
    )


def run_ours(work: Work, settings: Settings, framework: Path) -> Run:
    """Trains with the framework."""
    write_recipe(work, settings)
    shutil.rmtree(work.run, ignore_errors=True)
    command = [str(framework), "train", str(work.recipe)]
    env = thread_variables(settings.threads)
    process = execute(OURS, command, work.log("framework"), env)
    lines = [json.loads(line) for line in (work.run / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if line.get("tokens_per_second") is not None]
    if [line["step"] for line in lines] != list(range(1, settings.steps + 1)):
        raise Failed(f"metrics.jsonl has {len(lines)} steps, not each of {settings.steps} once")
    summary = json.loads((work.run / "summary.json").read_text())
    tokens = step_tokens(work, settings)
    if summary["tokens"] != sum(tokens):
        raise Failed(f"the framework trained on {summary['tokens']} tokens, not on {sum(tokens)}")
    seconds = [count / line["tokens_per_second"] for count, line in zip(tokens, lines)]
    loss, norms = ([line[key] for line in lines] for key in ("loss", "grad_norm"))
    return Run(OURS, process, loss, norms, seconds, {"summary": summary})


def run_pytorch(work: Work, settings: Settings, side: str) -> Run:
    """Trains with PyTorch, `TUNED` with its allocator set up."""
    work.peer_result.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("peer.py")), str(work.root)]
    env = thread_variables(settings.threads) | (TUNED_MALLOC if side == TUNED else {})
    log = work.log("pytorch-tuned" if side == TUNED else "pytorch")
    process = execute(side, command, log, env)
    result = json.loads(work.peer_result.read_text())
    series = (result.pop(key) for key in ("loss", "grad_norm", "seconds"))
    result["max_rss_loaded"] = machine.max_rss_bytes(result["max_rss_loaded"])
    return Run(side, process, *series, result)
