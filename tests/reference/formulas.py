"""The losses of preferences by the papers' formulas, to compare with TRL's."""

import torch
import torch.nn.functional as F


def by_formula(name: str, settings: dict, first: dict, rows: list) -> float:
    """The first step's loss by the papers' formulas, in float64, from the sequences' log-probabilities."""
    first = {key: value.double() for key, value in first.items()}
    beta, smooth = settings["beta"], settings.get("label_smoothing", 0.0)
    if name == "kto":
        kl = first["kl_before_clamp"].clamp(min=0)
        wanted = torch.tensor([row["label"] for row in rows])
        sign = torch.where(wanted, 1.0, -1.0)
        weight = torch.where(wanted, 1.0, settings["undesirable_weight"])
        ratio = first["logps"] - first["ref_logps"]
        return (weight * (1 - torch.sigmoid(beta * sign * (ratio - kl)))).mean().item()
    chosen, rejected = first["chosen_logps"], first["rejected_logps"]
    if name == "orpo":
        odds = [logp - torch.log1p(-logp.exp()) for logp in (chosen, rejected)]
        return (first["nll"] - beta * F.logsigmoid(odds[0] - odds[1]).mean()).item()
    if name == "simpo":
        return -F.logsigmoid(beta * (chosen - rejected) - settings["simpo_gamma"]).mean().item()
    chosen, rejected = chosen - first["ref_chosen_logps"], rejected - first["ref_rejected_logps"]
    if name in ("dpo-ipo", "dpo-sigmoid-norm"):
        chosen, rejected = (
            part / torch.tensor([len(row[key]) for row in rows])
            for part, key in ((chosen, "chosen"), (rejected, "rejected"))
        )
    delta = chosen - rejected
    if name == "dpo-ipo":
        return ((delta - 1 / (2 * beta)) ** 2).mean().item()
    if name == "dpo-hinge":
        return torch.relu(1 - beta * delta).mean().item()
    right, wrong = -F.logsigmoid(beta * delta), -F.logsigmoid(-beta * delta)
    if name == "dpo-robust":
        return (((1 - smooth) * right - smooth * wrong) / (1 - 2 * smooth)).mean().item()
    return ((1 - smooth) * right + smooth * wrong).mean().item()
