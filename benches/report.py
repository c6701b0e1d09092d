"""Statistics over rounds, and their table."""

from dataclasses import asdict, dataclass
from statistics import median

from sides import OURS, PYTORCH, Run

# Largest relative difference of the losses with which the sides count as having done the same.
TOLERANCE = 1e-2
# Cores that others may keep busy without a warning.
QUIET = 0.1


@dataclass
class Summary:
    """One side over all rounds."""

    side: str
    # Tokens per second of each round, warm-up left out.
    rates: list[float]
    step_seconds: float
    peak_bytes: int
    final_loss: float

    @property
    def rate(self) -> float:
        return median(self.rates)


def summarize(runs: list[Run], tokens: list[int], warmup: int) -> Summary:
    """Medians over one side's rounds, the first `warmup` steps of each left out."""
    counted = sum(tokens[warmup:])
    return Summary(
        side=runs[0].side,
        rates=[counted / sum(run.seconds[warmup:]) for run in runs],
        step_seconds=median(second for run in runs for second in run.seconds[warmup:]),
        peak_bytes=round(median(run.process.peak_bytes for run in runs)),
        final_loss=runs[-1].loss[-1],
    )


def ratios(ours: Summary, other: Summary) -> list[float]:
    """Our speed over the other's, round by round."""
    return [mine / theirs for mine, theirs in zip(ours.rates, other.rates)]


def largest_difference(a: list[float], b: list[float]) -> tuple[float, int]:
    """The largest relative difference of two series, and its step, counted from 1."""
    differences = [abs(x - y) / max(abs(y), 1e-12) for x, y in zip(a, b)]
    worst = max(range(len(differences)), key=differences.__getitem__)
    return differences[worst], worst + 1


def agreement(ours: Run, peer: Run) -> dict:
    """How far the two sides' losses and gradient norms are apart."""
    loss, loss_step = largest_difference(ours.loss, peer.loss)
    norm, norm_step = largest_difference(ours.grad_norm, peer.grad_norm)
    final = abs(ours.loss[-1] - peer.loss[-1]) / abs(peer.loss[-1])
    return {
        "final_loss": final,
        "loss": loss,
        "loss_step": loss_step,
        "grad_norm": norm,
        "grad_norm_step": norm_step,
        "agree": loss <= TOLERANCE,
    }


def spread(values: list[float], digits: int) -> str:
    """Median (least–most)."""
    numbers = [f"{value:.{digits}f}" for value in (median(values), min(values), max(values))]
    return "{} ({}–{})".format(*numbers)


def row(summary: Summary, ours: Summary | None) -> list[str]:
    """One line of the table; the ratio is ours over this one's."""
    ratio = "–" if ours is None or ours is summary else spread(ratios(ours, summary), 2)
    return [
        summary.side,
        spread(summary.rates, 0),
        f"{summary.step_seconds:.4f}",
        f"{summary.peak_bytes / 2**20:.0f}",
        f"{summary.final_loss:.6f}",
        ratio,
    ]


def table(summaries: list[Summary]) -> str:
    """A Markdown table that also reads well as it is."""
    head = ["side", "tokens/s (min–max)", "s/step", "peak MiB", "final loss", "ours/theirs"]
    ours = next((summary for summary in summaries if summary.side == OURS), None)
    lines = [head, *(row(summary, ours) for summary in summaries)]
    first, *others = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * first, *("-" * (width - 1) + ":" for width in others)])

    def aligned(line: list[str]) -> str:
        cells = [line[0].ljust(first), *map(str.rjust, line[1:], others)]
        return f"| {' | '.join(cells)} |"

    return "\n".join(map(aligned, lines))


def agreement_line(found: dict) -> str:
    """The check of the losses in words."""
    verdict = "agree" if found["agree"] else "DISAGREE: the speeds are of different computations"
    return (
        f"losses {verdict}: last step {found['final_loss']:.1e} apart, at most {found['loss']:.1e} "
        f"(step {found['loss_step']}); gradient norms at most {found['grad_norm']:.1e} "
        f"(step {found['grad_norm_step']})"
    )


def disturbance(runs: dict[str, list[Run]]) -> str | None:
    """A warning if other processes took computing time during a run."""
    others = [run.process.other_cores or 0.0 for of_side in runs.values() for run in of_side]
    if max(others) <= QUIET:
        return None
    return (
        f"BUSY: other processes took up to {max(others):.1f} cores during a run. PyTorch's waiting "
        "threads suffer from that far more than ours: do not trust the ratios."
    )


def to_json(runs: dict[str, list[Run]], summaries: list[Summary]) -> list[dict]:
    """Everything that was measured."""
    return [
        {
            "side": summary.side,
            "tokens_per_second": summary.rate,
            "tokens_per_second_by_round": summary.rates,
            "seconds_per_step": summary.step_seconds,
            "peak_bytes": summary.peak_bytes,
            "final_loss": summary.final_loss,
            "rounds": [asdict(run) for run in runs[summary.side]],
        }
        for summary in summaries
    ]


def peer_name(runs: dict[str, list[Run]]) -> str | None:
    """A PyTorch side that ran."""
    return next((side for side in runs if side.startswith(PYTORCH)), None)
