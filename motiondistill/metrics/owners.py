"""Who owns a failure: one rule for all that has to tell it."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

Owner = Literal["representation", "prior", "optimisation"]
Shared = Literal["representation", "samples"]
"""Stages of which a share decides."""
_MOTIONS: Final[Mapping[Shared, str]] = {"representation": "true clips", "samples": "samples"}

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


def caution(
    found: Owner, *, truth: Sequence[bool], samples: Sequence[bool], latents: Sequence[bool] = ()
) -> str:
    """That one more motion, recognised or not, would turn the verdict, in words; else empty.

    One more of a stage whose share decided. The words name these, with what they have now.
    """
    hits: dict[Shared, Sequence[bool]] = {"representation": truth, "samples": samples}
    told = []
    for stage in rests_on(found, truth=truth, samples=samples):
        more = [hits | {stage: [*hits[stage], hit]} for hit in (True, False)]
        turned = [
            owner(truth=each["representation"], samples=each["samples"], latents=latents)
            for each in more
        ]
        if turned != [found, found]:
            told.append(f"{sum(hits[stage])} of {len(hits[stage])} {_MOTIONS[stage]}")
    return f"one more motion may turn it: {' and '.join(told)} recognised" if told else ""


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
