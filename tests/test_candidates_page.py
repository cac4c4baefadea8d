"""What a rule would have chosen among candidates follows from their scores."""

import dataclasses
from pathlib import Path

import candidates
import pytest
import torch
from candidates import RULES, Scored, chosen, pace, pairs
from prior_evidence.groups import Group
from test_prior_evidence import true_group

from motiondistill.body.skinning import SkinnedBody


@pytest.fixture
def groups(low_body: SkinnedBody) -> list[Scored]:
    """Of the second prompt, evidence and misfit are for different candidates."""
    group = true_group(low_body, "squat", "squat")
    first = Scored(
        group,
        right=(False, True, True),
        evidence=torch.tensor([0.0, 1.0, 2.0]),
        misfit=torch.tensor([5.0, 1.0, 3.0]),
        speed=torch.tensor([1.0, 2.0, 3.0]),
    )
    second = dataclasses.replace(
        first,
        group=dataclasses.replace(group, action="walk"),
        right=(False, False, True),
        evidence=torch.tensor([1.0, 0.0, 0.9]),
    )
    return [first, second]


def test_a_rule_is_judged_by_its_choices_and_by_pairs(groups: list[Scored]) -> None:
    assert {name: chosen(rule, groups) for name, rule in RULES.items()} == {
        "evidence": [True, False],
        "misfit": [True, False],
        "both": [True, True],
    }
    assert pairs(RULES["evidence"], groups) == [True, True, False, True]
    assert pairs(RULES["misfit"], groups) == [True, True, True, False]
    assert pace(RULES["evidence"], groups) == pytest.approx((3 + 1) / (2 + 2))
    assert pace(RULES["misfit"], groups) == pytest.approx((2 + 2) / (2 + 2))


def test_the_page_of_candidates(
    groups: list[Scored], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rare: Group = dataclasses.replace(groups[0].group, action="roll")
    candidates.write_page([*groups, dataclasses.replace(groups[0], group=rare)])
    lines = Path("results/candidates.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("| any | 50 % (") for line in lines), "rare ones apart"
    assert any(line.startswith("| both | 100 % (") and line.endswith(" 1.25 |") for line in lines)
    assert "| walk | 1 of 3 | 0 of 1 | 0 of 1 | 1 of 1 |" in lines
    assert any("right, evidence 1 of 1, misfit 1 of 1, both 1 of 1." in line for line in lines)
