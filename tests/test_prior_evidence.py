"""What is said of the embedded prior's samples follows from them."""

import argparse
import dataclasses
import json
from pathlib import Path

import embedded_prior
import pytest
import torch
from prior_evidence import page
from prior_evidence.groups import SAMPLES, Group, packed, unpacked
from prior_evidence.judged import judge, mistakes, rate
from prior_evidence.samples import Sampling

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building.objects import make_problem, make_settings
from motiondistill.data.dataset import action_dataset
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.starts import FitSettings
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Motion


def true_group(body: SkinnedBody, asked: str, done: str, side: str = "left") -> Group:
    """Three clips of an action, as if another had been asked for."""
    motion = Motion.stack(
        [
            parametric_motion(done, "left", seeded(seed), body.rest_joints, 8.0, 16)
            for seed in range(SAMPLES)
        ]
    )
    videos = torch.rand(SAMPLES, 16, 3, 8, 8)
    return Group("trained", asked, side, "a prompt", videos, motion, body(motion).joints)


def test_a_group_comes_back_from_disk(low_body: SkinnedBody) -> None:
    group = true_group(low_body, "squat", "squat")
    again = unpacked(packed(group))
    assert (again.kind, again.action, again.prompt) == ("trained", "squat", "a prompt")
    assert torch.equal(again.joints, group.joints)
    assert torch.equal(again.motion.rotations, group.motion.rotations)
    assert (again.videos - group.videos).abs().max() <= 0.5 / 255 + 1e-6


def test_what_is_recognised_is_counted(low_body: SkinnedBody) -> None:
    groups = [
        true_group(low_body, "jumping jacks", "jumping jacks"),
        true_group(low_body, "squat", "jumping jacks"),
        true_group(low_body, "kick", "kick", side="right"),
    ]
    judged = judge(groups, load_recogniser())
    assert [each.right for each in judged] == [True] * 3 + [False] * 3 + [True] * 3
    assert mistakes(judged) == "jumping jacks 3"
    sides: list[bool | None] = [each.right_side for each in judged]
    assert sides == [None] * 6 + [False] * 3, "the left leg kicked where the right was asked for"


def test_intervals_are_wilsons() -> None:
    """By hand: 8 of 10 is 80 %, from 49 to 94; all of 4 from 51 to 100."""
    assert rate([True] * 8 + [False] * 2) == "80 % (49 to 94 %)"
    assert rate([True] * 4) == "100 % (51 to 100 %)"
    assert rate([]) == "none"


@pytest.mark.slow
def test_the_page_is_written_from_few_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedded_prior, "GROUPS", dict.fromkeys(embedded_prior.GROUPS, 1))
    config = OptimizeConfig(init=FitSettings(SAMPLES, sampling_steps=2, num_steps=2))
    problem, settings = make_problem(config, ""), make_settings(config)
    dataset = action_dataset([], problem.body.rest_joints, 8.0, 16)
    options = argparse.Namespace(out=tmp_path, prior="embedded")
    sampling = Sampling(problem, settings, dataset)
    made = [list(embedded_prior.carry_out(options, sampling, ["squat", "bow"])) for _ in range(2)]
    assert all(torch.equal(a.joints, b.joints) for a, b in zip(*made, strict=True))
    training = tmp_path / "training"
    (training / "denoiser").mkdir(parents=True)
    (training / "arguments.json").write_text(json.dumps({"steps": 2}))
    figures = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4, "validation/0-250": 0.3}]
    lines = "".join(json.dumps(row) + "\n" for row in figures)
    (training / "denoiser" / "figures.jsonl").write_text(lines)
    page.write_page(made[0], problem, training, "experiments/embedded_prior.py")
    text = (tmp_path / "results" / "embedded_prior.md").read_text(encoding="utf-8")
    assert "| squat | common |" in text and "| bow | 32 |" in text
    for name in ("squat", "bow"):
        assert (tmp_path / "results" / "embedded_prior" / f"{name}.png").stat().st_size > 1000
    other = dataclasses.replace(sampling, problem=dataclasses.replace(problem, seed=1))
    with pytest.raises(ValueError):
        list(embedded_prior.carry_out(options, other, ["squat"]))
