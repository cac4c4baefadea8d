"""Why a prompt's motion is not recognised: by a rule on what surrounds the distillation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prior_evidence.groups import Kind
from prior_evidence.judged import judge
from prior_evidence.samples import Sampling, stored_group

from motiondistill.metrics import owners
from motiondistill.metrics.owners import Owner
from motiondistill.metrics.recogniser import Recogniser

RULE: Final = f"""{owners.RULE}
What is looked at is what `embedded_prior.py` makes of the same action, from the canonical
caption."""


def reason(fits: Mapping[Kind, Sequence[bool]]) -> Owner:
    """By `RULE`, from which fits of true clips ("truth") and of samples ("trained") are recognised.

    True clips may be missing: then the representation is not doubted.
    """
    return owners.owner(truth=fits.get("truth", ()), samples=fits["trained"])


def reasons(
    actions: Sequence[str], out: Path, prior: str, sampling: Sampling, recogniser: Recogniser
) -> dict[str, Owner]:
    """The reason of each action; groups of samples lie in `out`, or are made."""
    found: dict[str, Owner] = {}
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
