"""Why a prompt's motion is not recognised: by a rule on what surrounds the distillation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from prior_evidence.groups import Kind
from prior_evidence.judged import judge
from prior_evidence.samples import Sampling, stored_group

from motiondistill.metrics.recogniser import Recogniser

Reason = Literal["prior", "representation", "optimisation"]

RULE: Final = """A motion that is not recognised has one of three reasons, decided by what
`embedded_prior.py` makes of the same action, from the canonical caption: **representation**, if of
rendered true clips less than half are recognised after they were fitted to the body, so that the
action gets lost between pictures and joints; else **prior**, if of the prior's own samples less
than half are recognised after the same fit; else **optimisation**: the prior shows the action, the
body can do it, and the run did not find it."""


def reason(fits: Mapping[Kind, Sequence[bool]]) -> Reason:
    """By `RULE`, from which fits of true clips ("truth") and of samples ("trained") are recognised.

    True clips may be missing: then the representation is not doubted.
    """
    if not _mostly(fits.get("truth", (True,))):
        return "representation"
    return "optimisation" if _mostly(fits["trained"]) else "prior"


def reasons(
    actions: Sequence[str], out: Path, prior: str, sampling: Sampling, recogniser: Recogniser
) -> dict[str, Reason]:
    """The reason of each action; groups of samples lie in `out`, or are made."""
    found: dict[str, Reason] = {}
    for action in actions:
        kinds: list[Kind] = ["trained"]
        if action in sampling.dataset.actions:
            kinds.append("truth")
        groups = {kind: stored_group(out, prior, sampling, (kind, action, 0)) for kind in kinds}
        found[action] = reason(
            {
                kind: [each.right for each in judge([group], recogniser)]
                for kind, group in groups.items()
            }
        )
    return found


def _mostly(hits: Sequence[bool]) -> bool:
    return 2 * sum(hits) >= len(hits)
