"""An update that fails changes nothing: fields, optimiser, memories and what was learned stay."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import tiny_latte
import torch
from small_problem import small_problem
from torch import Tensor
from trees import same

from motiondistill import config
from motiondistill.bookkeeping.store import snapshot
from motiondistill.building.objects import make_settings
from motiondistill.engine import distillation, inquiry, optimize, stages
from motiondistill.engine.critics import Critic
from motiondistill.priors.base import DiffusersPrior
from motiondistill.priors.loading import load_prior
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Mesh

pytest.importorskip("peft")

STEPS = 4


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> DiffusersPrior:
    return load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))


def not_finite(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *given: loss(*given) * torch.inf


def sharp(motion: Any, mesh: Mesh, *_: Any) -> dict[str, Tensor]:
    """The root of zero: a number without a slope."""
    return {"sharp": (mesh.vertices - mesh.vertices.detach()).square().sum().sqrt()}


@pytest.mark.parametrize("broken", [0, 1, 2])
@pytest.mark.parametrize(
    ("objective", "place", "message"),
    [
        ("vsd", "lesson", "of what the prior's copy learns must be finite, got others at step {} "),
        ("vsd", "gradient", "The gradient must be finite, got others at .* at step {} of seed 0"),
        ("dds", "gradient", "The gradient must be finite, got others at .* at step {} of seed 0"),
    ],
)
def test_a_failing_update_changes_nothing_and_may_be_tried_again(
    prior: DiffusersPrior,
    monkeypatch: pytest.MonkeyPatch,
    objective: str,
    place: str,
    message: str,
    broken: int,
) -> None:
    """Of two critics; at first there are no memories, and the first two updates share targets."""
    shared = 1 if place == "lesson" else 2
    given = [f"score.objective={objective}", f"score.updates_per_target={shared}"]
    given += ["init.start=neutral", f"score.num_steps={STEPS}", "score.views=2"]
    settings = make_settings(config.load(OptimizeConfig, None, given))
    second = Critic("other", prior, settings.distill, settings.method)
    usual = small_problem(prior, pixels=32, frames=16)
    problem = dataclasses.replace(usual, critics=(second,))
    state = optimize.initial_state(problem, settings)
    steps = optimize.optimize(problem, settings, state)
    for _ in range(broken):
        next(steps)
    before = copy.deepcopy(snapshot(state))
    with monkeypatch.context() as patch:
        if place == "lesson":
            patch.setattr(inquiry, "adaptation_loss", not_finite(inquiry.adaptation_loss))
        else:
            patch.setattr(stages, "penalties", sharp)
        with pytest.raises(FloatingPointError, match=message.format(broken)):
            next(steps)
    assert same(snapshot(state), before)
    assert len(state.memories) == (2 if broken else 0)
    next(optimize.optimize(problem, settings, state))
    assert not same(snapshot(state), before)


def test_a_gradient_that_breaks_in_one_part_is_told_by_where_it_breaks(
    prior: DiffusersPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["init.start=neutral", "score.views=2", "score.accumulate=2", "score.num_steps=2"]
    settings = make_settings(config.load(OptimizeConfig, None, given))
    problem = small_problem(prior, pixels=32, frames=16)
    state = optimize.initial_state(problem, settings)
    before = copy.deepcopy(snapshot(state))
    whole, calls = distillation.answer, []

    def spoilt(*asked: Any) -> Any:
        """The second part's loss has a slope without bounds."""
        calls.append(0)
        said = whole(*asked)
        return dataclasses.replace(said, loss=said.loss * torch.inf) if len(calls) == 2 else said

    with monkeypatch.context() as patch:
        patch.setattr(distillation, "answer", spoilt)
        told = "got others at the mesh, and from the latents on, at step 0 of seed 0; lower"
        with pytest.raises(FloatingPointError, match=told):
            next(optimize.optimize(problem, settings, state))
    assert same(snapshot(state), before)
