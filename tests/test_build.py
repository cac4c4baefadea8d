"""Names in configurations become the objects they mean."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest
import torch
from small_problem import body
from tiny_ltx import save_tiny

from motiondistill import build
from motiondistill.optimize import DistillSettings
from motiondistill.priors.base import DiffusersPrior
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.schema import BodyConfig, OptimizeConfig, PriorConfig, RunConfig
from motiondistill.score.objectives import Objective, csd_loss, sds_loss


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


def weights(prior: DiffusersPrior) -> dict[str, torch.Tensor]:
    return dict(prior.denoiser.transformer.state_dict())


def test_pretrained_weights_are_the_folders_and_random_ones_are_the_seeds(folder: Path) -> None:
    def of(kind: str, seed: int) -> dict[str, torch.Tensor]:
        config = PriorConfig(str(folder), weights=kind)
        return weights(build.make_prior(config, seed))

    def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(first[name], second[name]) for name in first)

    assert equal(of("pretrained", 0), of("pretrained", 1))
    assert equal(of("random", 0), of("random", 0))
    assert not equal(of("random", 0), of("random", 1))
    assert not equal(of("random", 0), of("pretrained", 0))


def test_an_unknown_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError, match=f"`prior.model` must be .*{missing}"):
        build.make_prior(PriorConfig(str(missing)), 0)


def test_bodies_by_name() -> None:
    low = build.make_body(BodyConfig("anny", "low"))
    assert (low.name, len(low.parts)) == ("anny-low", 1229)
    assert torch.equal(low.blend, body().blend)


def test_a_problem_is_the_configurations(folder: Path) -> None:
    config = OptimizeConfig(
        prior=PriorConfig(str(folder), negative_prompt="blurry"), run=RunConfig(seed=5)
    )
    problem = build.make_problem(config, "a person squats")
    assert (problem.prompt, problem.negative_prompt, problem.seed) == (
        "a person squats",
        "blurry",
        5,
    )
    assert problem.num_frames == problem.prior.format.frames  # the prior's own length
    assert problem.cameras == config.camera
    assert isinstance(problem.scene.rasterizer, CpuRasterizer)
    longer = dataclasses.replace(config, run=RunConfig(frames=13))
    assert build.make_problem(longer, "x").num_frames == 13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": RunConfig(frames=10)}, r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13"),
        ({"camera": dataclasses.replace(OptimizeConfig().camera, size=(60, 64))}, "`height` must"),
    ],
)
def test_clips_that_the_prior_cannot_take_are_refused_before_the_body_is_built(
    folder: Path, change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(build, "make_body")
    config = dataclasses.replace(OptimizeConfig(prior=PriorConfig(str(folder))), **change)
    with pytest.raises(ValueError, match=message):
        build.make_problem(config, "x")


def test_settings_are_the_groups_of_the_configuration() -> None:
    config = OptimizeConfig()
    settings = build.make_settings(config)
    assert (settings.fit, settings.distill, settings.regularize) == (
        config.init,
        config.score,
        config.regularize,
    )
    assert settings.num_steps == config.init.num_steps + config.score.num_steps


@pytest.mark.parametrize(("name", "objective"), [("csd", csd_loss), ("sds", sds_loss)])
def test_the_objective_is_the_one_named(name: Literal["csd", "sds"], objective: Objective) -> None:
    config = OptimizeConfig(score=DistillSettings(objective=name))
    assert build.make_settings(config).objective is objective
