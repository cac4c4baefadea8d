"""Whose a failure is: made-up findings with known owners, and what is told where none is known."""

import itertools
from typing import Any

import pytest

from motiondistill.metrics.owners import Owner, Shared, caution, owner, remark, rests_on
from motiondistill.report.diagnosis import STAGES, Stage, verdict

YES, NO, HALF = [True, True, False], [True, False, False], [True, False]


@pytest.mark.parametrize(
    ("truth", "samples", "latents", "expected"),
    [
        (NO, YES, [True], "representation"),
        (NO, NO, [False], "representation"),
        (YES, NO, [False], "prior"),
        (YES, NO, [], "prior"),
        ([], NO, [False], "prior"),
        (YES, NO, [True], "optimisation"),
        (YES, YES, [False], "optimisation"),
        (HALF, HALF, [], "optimisation"),
        ([], YES, [], "optimisation"),
    ],
)
def test_the_owner_follows_from_the_rule(
    truth: list[bool], samples: list[bool], latents: list[bool], expected: Owner
) -> None:
    assert owner(truth=truth, samples=samples, latents=latents) == expected


def test_free_clips_tell_where_an_optimisation_fails() -> None:
    assert "lost on the way through it" in remark("optimisation", [True])
    assert "does not lead to the action, either" in remark("optimisation", [False])
    assert remark("optimisation", []) == remark("prior", [False]) == ""


@pytest.mark.parametrize(
    ("truth", "samples", "expected"),
    [
        ([False], YES, {"representation": 1}),
        (YES, NO, {"representation": 3, "samples": 3}),
        ([], [False], {"samples": 1}),
        (YES, [True, False], {"representation": 3, "samples": 2}),
    ],
)
def test_an_owner_rests_on_the_stages_whose_share_decided(
    truth: list[bool], samples: list[bool], expected: dict[Shared, int]
) -> None:
    found = owner(truth=truth, samples=samples)
    assert rests_on(found, truth=truth, samples=samples) == expected


def test_free_clips_that_speak_against_the_prior_need_no_samples() -> None:
    assert owner(truth=YES, samples=[False], latents=[True]) == "optimisation"
    assert rests_on("optimisation", truth=YES, samples=[False]) == {"representation": 3}


@pytest.mark.parametrize(
    ("truth", "samples", "latents", "expected"),
    [
        (YES, NO, [False], "1 of 3 samples"),
        ([], [False], [], "0 of 1 samples"),
        ([False], YES, [], "0 of 1 true clips"),
        ([False] * 3, NO, [], ""),
        (HALF, NO, [], "1 of 2 true clips and 1 of 3 samples"),
        ([True], [True], [], ""),
        (YES, HALF, [], "1 of 2 samples"),
        (YES, HALF, [True], ""),
        (YES, NO, [True], ""),
    ],
)
def test_a_verdict_that_one_more_motion_turns_is_told(
    truth: list[bool], samples: list[bool], latents: list[bool], expected: str
) -> None:
    found = owner(truth=truth, samples=samples, latents=latents)
    told = caution(found, truth=truth, samples=samples, latents=latents)
    words = f"one more motion may turn it: {expected} recognised"
    assert told == (words if expected else "")


def test_caution_is_told_exactly_where_one_more_would_turn_it() -> None:
    """All shares of up to four motions, by asking the rule again with one more in each place."""
    shares = [[True] * hits + [False] * (n - hits) for n in range(5) for hits in range(n + 1)]
    cautious = 0
    for truth, samples, latents in itertools.product(shares, shares[1:], ([], [False], [True])):
        found = owner(truth=truth, samples=samples, latents=latents)
        decided = rests_on(found, truth=truth, samples=samples)
        others = set()
        for hit in (True, False):
            if "representation" in decided:
                others.add(owner(truth=[*truth, hit], samples=samples, latents=latents))
            if "samples" in decided:
                others.add(owner(truth=truth, samples=[*samples, hit], latents=latents))
        told = caution(found, truth=truth, samples=samples, latents=latents)
        assert bool(told) == bool(others - {found}), (truth, samples, latents)
        cautious += bool(told)
    assert cautious > 0


def cells(**hits: Any) -> dict[Stage, dict[str, Any]]:
    """Finished stages with these hits, or stages of this status."""
    found: dict[Stage, dict[str, Any]] = {}
    for stage in STAGES:
        given = hits.get(stage, [True])
        named = isinstance(given, str)
        found[stage] = {
            "status": given if named else "finished",
            "hits": None if named else given,
        }
    return found


def test_a_recognised_motion_has_no_owner_whatever_else_fails() -> None:
    told = verdict("walk", cells(representation=[False], samples=[False], latents=[False]))
    assert told == {"owner": "none", "remark": "", "rests_on": {}, "caution": ""}


def test_stages_that_are_left_out_or_failed_tell_nothing() -> None:
    told = verdict("walk", cells(representation="left out", latents="failed", distillation=[False]))
    assert told["owner"] == "optimisation"
    assert told["remark"] == "No true clip tells of the representation, which is not doubted."
    assert told["rests_on"] == {"samples": 1}
    assert told["caution"] == "", "one more miss leaves half of the samples"
    uncounted = verdict("walk", cells(representation=[], samples=NO, latents=[], distillation=[0]))
    assert uncounted["owner"] == "prior"
    assert uncounted["caution"] == "one more motion may turn it: 1 of 3 samples recognised"


@pytest.mark.parametrize(
    ("asked", "given", "why"),
    [
        (None, {}, "names none of the actions"),
        ("walk", {"latents": "not begun"}, "Not all stages"),
        ("walk", {"samples": "stopped", "distillation": [False]}, "Not all stages"),
        ("walk", {"distillation": "failed"}, "no distilled motion"),
        ("walk", {"samples": "failed", "distillation": [False]}, "no sample"),
    ],
)
def test_without_evidence_no_owner_is_told(
    asked: str | None, given: dict[str, Any], why: str
) -> None:
    told = verdict(asked, cells(**given))
    assert told["owner"] is None
    assert why in told["remark"]
    assert told["rests_on"] == {} and told["caution"] == ""
