"""The tokens that a case's model generates."""

import itertools

from cases import Case
from computing import first_adapter
from generation import beam_scores, generate

PENALTIES = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3}
BEAMS = {
    "num_beams": 3,
    "num_return_sequences": 3,
    "length_penalty": 0.8,
    "max_new_tokens": 20,
}
# The beam searches of every case.
NARROW = {"num_beams": 3, "length_penalty": 0.8, "max_new_tokens": 24}
WIDE = {"num_beams": 5, "length_penalty": 1.2, "repetition_penalty": 1.5, "max_new_tokens": 24}


def decoding(case: Case, model, prompts: list) -> tuple[dict, dict]:
    """Generated tokens of the base model and of the adapter `lora/`."""
    first = prompts[:1]
    greedy = generate(model, first, max_new_tokens=40)[0]
    assert len(greedy) == 40
    end = next(index for index in range(5, 11) if greedy[index] not in greedy[:index])
    eos = greedy[end]
    batch = generate(model, prompts, max_new_tokens=40)
    assert batch[0] == greedy
    assert batch[1] == generate(model, prompts[1:], max_new_tokens=40)[0]
    stopped = generate(model, first, max_new_tokens=40, eos_token_id=eos)[0]
    assert stopped == greedy[: end + 1]
    adapted = generate(first_adapter(case, model), first, max_new_tokens=40)[0]
    # Neither may be the mere repetition that small random models tend to.
    assert min(len(set(greedy)), len(set(adapted))) >= 6 and adapted != greedy
    values = {
        "prompts": prompts,
        "greedy": greedy,
        "greedy_batch": batch,
        "greedy_penalty": generate(model, first, max_new_tokens=40, **PENALTIES)[0],
        "eos": eos,
        "greedy_eos": stopped,
        "greedy_batch_eos": generate(model, prompts, max_new_tokens=40, eos_token_id=eos),
        "lora_greedy": adapted,
        "beam3": generate(model, first, **BEAMS),
        "beam3_scores": beam_scores(model, prompts[0], **BEAMS),
        "beam3_eos": generate(model, first, eos_token_id=eos, **BEAMS),
        "beam3_eos_scores": beam_scores(model, prompts[0], eos_token_id=eos, **BEAMS),
    }
    return values, {}


def beams(model, prompts: list) -> tuple[dict, dict]:
    """The best result of beam searches with all kinds of options."""
    end = early_end(model, prompts[:1])
    ends = {"eos_token_id": end}
    searches = [
        (1, NARROW),
        (1, WIDE),
        (1, NARROW | PENALTIES),
        *((1, NARROW | ends | {"early_stopping": stopping}) for stopping in (False, True, "never")),
        *((1, WIDE | ends | {"early_stopping": stopping}) for stopping in (False, True, "never")),
        (1, WIDE | ends | {"length_penalty": -0.5, "early_stopping": "never"}),
        (1, NARROW | PENALTIES | ends),
        (2, NARROW),
        (2, NARROW | ends),
        (2, WIDE | ends | {"early_stopping": True}),
    ]
    found = []
    for count, options in searches:
        results = generate(model, prompts[:count], sturdy=True, **options)
        found.append(
            {
                "prompts": count,
                "num_beams": options["num_beams"],
                "length_penalty": options["length_penalty"],
                "early_stopping": options.get("early_stopping", False),
                "repetition_penalty": options.get("repetition_penalty", 1.0),
                "no_repeat_ngram_size": options.get("no_repeat_ngram_size", 0),
                "max_new_tokens": options["max_new_tokens"],
                "eos": options.get("eos_token_id"),
                "expected": results,
            }
        )
    return {"beams": found}, {}


def early_end(model, prompts: list) -> int:
    """An end token by which beams end before there is no room left.

    Of those that do, the one for which it matters most when the search stops.
    """
    candidates = set()
    for options in (NARROW, WIDE):
        rows = generate(
            model, prompts, checked=False, num_return_sequences=options["num_beams"], **options
        )
        candidates |= set(itertools.chain(*(row[2:10] for row in rows)))

    def variety(end: int) -> tuple:
        kinds, lengths = 0, []
        for options in (NARROW, WIDE):
            results = [
                generate(
                    model, prompts, checked=False, eos_token_id=end, early_stopping=stop, **options
                )[0]
                for stop in (False, True, "never")
            ]
            kinds += len(set(map(tuple, results)))
            lengths += map(len, results)
        early = sum(2 < length < NARROW["max_new_tokens"] for length in lengths)
        return kinds + (early == len(lengths)), early

    best = max(sorted(candidates), key=variety)
    kinds, early = variety(best)
    assert early >= 4, "beams do not end early; change the seed"
    print(f"  end token {best}: {kinds} kinds of results, {early} of 6 end early")
    return best


def crossing(model, prompt: list) -> tuple[dict, dict]:
    """Greedy tokens that come to lie where other rotary frequencies are used."""
    tokens = generate(model, [prompt], sturdy=True, max_new_tokens=20)[0]
    assert len(set(tokens)) >= 4
    return {"crossing_prompt": prompt, "crossing": tokens}, {}
