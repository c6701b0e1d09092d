"""Generated tokens, with checks that they are not decided by rounding."""

import copy

import torch
from transformers import GenerationConfig

from batches import PAD, left_padded

# The least gap between the best two scores of any greedy step.
MARGIN = 3e-4
# By how much, relatively, weights may change without any effect on the tokens of a sturdy result.
NOISE = 5e-6


def generate(model, prompts: list, checked: bool = True, sturdy: bool = False, **options) -> list:
    """The tokens after each prompt, without the padding that follows an end.

    `options` are those of `GenerationConfig`. Without `eos_token_id` nothing
    ends early. The result must not depend on the cache, nor on computing in
    float64 instead of float32, and greedy steps must be clear by `MARGIN`.
    A `sturdy` result must also stand slight changes of the weights: beams have
    no single margin. None of this without `checked`.
    """
    tokens, scores = _generate(model, prompts, **options)
    if not checked:
        return tokens
    if "num_beams" not in options:
        _check_margins(tokens, scores)
    uncached, _ = _generate(model, prompts, use_cache=False, **options)
    assert uncached == tokens, "generation depends on the cache; change the seed"
    # One prompt at a time: transformers cannot mask left padding in float64.
    double = copy.deepcopy(model).double()
    precise = [row for prompt in prompts for row in _generate(double, [prompt], **options)[0]]
    assert precise == tokens, "generation depends on rounding; change the seed"
    for draw in range(3 if sturdy else 0):
        noisy, _ = _generate(_perturbed(model, draw), prompts, **options)
        assert noisy == tokens, "generation hangs on the last digits; change the seed"
    return tokens


def _perturbed(model, seed: int):
    """A copy of the model whose weights are slightly off."""
    noisy, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in noisy.parameters():
            parameter.mul_(1 + NOISE * torch.randn(parameter.shape, generator=generator))
    return noisy


def beam_scores(model, prompt: list, **options) -> list:
    """The final score of each beam that `generate` returns."""
    return _output(model, [prompt], **options).sequences_scores.tolist()


def _output(model, prompts, **options):
    config = GenerationConfig(
        do_sample=False,
        pad_token_id=PAD,
        return_dict_in_generate=True,
        output_scores=True,
        **options,
    )
    # generate() fills what is None in `config` from the model's own generation
    # configuration, which has the end token of config.json: empty that meanwhile.
    own, model.generation_config = model.generation_config, GenerationConfig()
    # What balances the experts' load cannot be computed with a cache.
    balanced = getattr(model.config, "output_router_logits", False)
    if balanced:
        model.config.output_router_logits = False
    with torch.no_grad():
        output = model.generate(**left_padded(prompts), generation_config=config)
    model.generation_config = own
    if balanced:
        model.config.output_router_logits = True
    return output


def _generate(model, prompts, **options):
    output = _output(model, prompts, **options)
    width = max(map(len, prompts))
    rows = [row[width:].tolist() for row in output.sequences]
    return [_until(row, options.get("eos_token_id")) for row in rows], output.scores


def _until(row, eos):
    return row[: row.index(eos) + 1] if eos in row else row


def _check_margins(tokens, scores):
    for index, row in enumerate(tokens):
        for step, token in enumerate(row):
            best = scores[step][index].topk(2)
            assert best.indices[0] == token
            gap = (best.values[0] - best.values[1]).item()
            assert gap > MARGIN, f"top-2 gap of {gap} at step {step}; change the seed"
