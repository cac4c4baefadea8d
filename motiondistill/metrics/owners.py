"""Who owns a failure: one rule for all that has to tell it."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

Owner = Literal["representation", "prior", "optimisation"]
Shared = Literal["representation", "samples"]
"""Stages of which a share decides."""
FEW: Final = 3
"""Of fewer motions a share tells little: one more may turn the verdict."""

RULE: Final = (
    "A motion that is not recognised has one of three owners. **Representation**, if of rendered "
    "true clips less than half are recognised after a motion was fitted to them, so that the "
    "action gets lost between pictures and joints; else **prior**, if of the prior's own samples "
    "less than half are recognised after the same fit, and neither is the clip that its score "
    "leads to without a body (where that was tried); else **optimisation**: the prior shows the "
    "action, the body can do it, and the run did not find it."
)


def owner(*, truth: Sequence[bool], samples: Sequence[bool], latents: Sequence[bool] = ()) -> Owner:
    """By `RULE`, from which fits of true clips, of samples and of free clips are recognised.

    Without true clips the representation is not doubted.
    """
    if not _mostly(truth):
        return "representation"
    return "optimisation" if _mostly(samples) or any(latents) else "prior"


def rests_on(found: Owner, *, truth: Sequence[bool], samples: Sequence[bool]) -> dict[Shared, int]:
    """How many motions there are of each stage whose share decided, by `RULE`.

    Where free clips alone speak against the prior, as one is enough, samples did not decide.
    """
    decided: dict[Shared, int] = {"representation": len(truth)} if truth else {}
    if found == "prior" or (found == "optimisation" and _mostly(samples)):
        decided["samples"] = len(samples)
    return decided


def caution(decided: Mapping[Shared, int]) -> str:
    """That a verdict rests on few motions, in words; empty where there are enough."""
    told = [
        f"{count} motion{'' if count == 1 else 's'} ({stage})"
        for stage, count in decided.items()
        if count < FEW
    ]
    return f"rests on {' and '.join(told)}" if told else ""


def remark(found: Owner, latents: Sequence[bool]) -> str:
    """What free clips add to it: whether the score fails by itself, or on its way through a body.

    Empty where they add nothing.
    """
    if found != "optimisation" or not latents:
        return ""
    if any(latents):
        return "Without a body the score leads to the action: it is lost on the way through it."
    return "Without a body the score does not lead to the action, either."


def _mostly(hits: Sequence[bool]) -> bool:
    return 2 * sum(hits) >= len(hits)
