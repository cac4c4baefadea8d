"""Views in parts: the same draws, the same update, and less memory."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import tiny_latte
import tiny_stable_diffusion
import torch
from small_problem import small_problem
from torch import Tensor

from motiondistill import config
from motiondistill.building.objects import make_settings
from motiondistill.engine.critics import Critic
from motiondistill.engine.distillation import judge
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.stages import Settings, Step
from motiondistill.engine.starts import Problem, motion_of
from motiondistill.priors.loading import load_prior
from motiondistill.render.randomization import random_background
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.query import Query

VIEWS = 4
EQUAL = 1e-6
# Of the largest gradient: single precision, and what pixels ask of a vertex nearly cancels.
ROUNDING = 1e-5
# One view alone is projected by another product of matrices than several: outlines move by a last
# bit, and with them the few pixels that they cross.
LONE = 1e-4


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    """Two critics, and cameras and surroundings that chance varies."""
    prior = load_prior(tiny_latte.save_tiny(tmp_path_factory.mktemp("prior")))
    images = load_prior(tiny_stable_diffusion.save_tiny(tmp_path_factory.mktemp("images")))
    usual = small_problem(prior, frames=16)
    chosen = settings()
    image = Critic("image_score", images, chosen.distill, chosen.method, images=2)
    return dataclasses.replace(
        usual,
        critics=(image,),
        changes=(random_background,),
        cameras=dataclasses.replace(usual.cameras, elevation_jitter=0.2, fov_jitter=0.1),
    )


def settings(**knobs: Any) -> Settings:
    given = {"num_steps": 1, "views": VIEWS} | knobs
    overrides = [f"score.{key}={value}" for key, value in given.items()]
    # The score alone: regularisers would hide how it differs.
    names = ("angular_speed", "joint_acceleration", "ground_penetration", "tilt")
    overrides += [f"regularize.{name}=0" for name in names]
    return make_settings(config.load(OptimizeConfig, None, ["init.num_steps=0", *overrides]))


def asked(problem: Problem, **knobs: Any) -> tuple[Tensor, Step, list[Tensor]]:
    """The gradient of the field, the update, and the draws that the objective was given."""
    seen: list[Query] = []
    chosen = settings(**knobs)
    objective = chosen.method.objective

    def watched(query: Query) -> Tensor:
        seen.append(query)
        return objective(query)

    method = dataclasses.replace(chosen.method, objective=watched)
    state = initial_state(problem, chosen)
    with torch.no_grad():  # a start that moves
        state.fields[0].layers.get_parameter("4.weight").normal_(
            0, 0.05, generator=torch.Generator().manual_seed(0)
        )
    (step,) = optimize(problem, dataclasses.replace(chosen, method=method), state)
    gradient = torch.cat([part.grad.flatten() for part in state.fields.parameters()])
    draws = [torch.cat([query.sigma for query in seen]), torch.cat([q.noise for q in seen])]
    return gradient, step, draws


@pytest.mark.parametrize("objective", ["csd", "dds"])
def test_parts_draw_what_the_whole_draws_and_ask_for_the_same(
    problem: Problem, objective: str
) -> None:
    whole, step, draws = asked(problem, objective=objective)
    for parts, rounding in ((2, ROUNDING), (4, LONE)):
        gradient, other, drawn = asked(problem, objective=objective, accumulate=parts)
        assert all(map(torch.equal, draws, drawn))
        assert torch.allclose(step.video, other.video, rtol=0, atol=LONE if parts == VIEWS else 0)
        error = (gradient - whole).abs().max()
        assert error <= EQUAL and error <= rounding * whole.abs().max()
        assert step.target is not None and other.target is not None
        assert torch.allclose(step.target, other.target, rtol=0, atol=1e-5)
        assert step.terms.keys() == other.terms.keys()
        for found, expected in (*zip(other.terms.values(), step.terms.values(), strict=True),):
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-7)
        assert {"latents", "image_score_latents", "pixels", "vertices"} < step.gradients.keys()
        assert step.gradients.keys() == other.gradients.keys()
        for name, size in step.gradients.items():
            assert torch.allclose(other.gradients[name], size, rtol=1e-3), name
        assert step.figures.keys() == other.figures.keys()
        for name, figure in step.figures.items():
            assert torch.allclose(other.figures[name], figure, rtol=1e-5), name


def test_parts_teach_a_copy_the_same_and_share_targets(problem: Problem) -> None:
    """Also from a kept target, whose parts are its slices."""

    def learned(parts: int) -> tuple[Tensor, Step]:
        chosen = settings(objective="vsd", num_steps=3, updates_per_target=2, accumulate=parts)
        critic = dataclasses.replace(problem.critics[0], knobs=chosen.distill, method=chosen.method)
        both = dataclasses.replace(problem, critics=(critic,))
        state = initial_state(both, chosen)
        *_, last = optimize(both, chosen, state)
        memories = state.memories
        numbers = [p for m in memories if m.adaptation for p in m.adaptation.parameters]
        assert len(memories) == 2 and all(memory.held for memory in memories)
        return torch.cat([part.detach().flatten() for part in numbers]), last

    (whole, last), (parts, other) = learned(1), learned(2)
    assert (parts - whole).abs().max() <= 1e-3 * whole.abs().max()
    assert torch.allclose(other.motion.rotations, last.motion.rotations, rtol=0, atol=1e-4)


class Tally:
    """Bytes that graphs keep for the backward pass: now, and the most there ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> "Kept":
        return Kept(self, tensor)


class Kept:
    def __init__(self, tally: Tally, tensor: Tensor) -> None:
        self.tally, self.tensor = tally, tensor
        tally.now += tensor.nbytes
        tally.most = max(tally.most, tally.now)

    def __del__(self) -> None:
        self.tally.now -= self.tensor.nbytes


@pytest.fixture
def tally() -> Iterator[Tally]:
    found = Tally()
    with torch.autograd.graph.saved_tensors_hooks(found.pack, lambda kept: kept.tensor):
        yield found


def test_a_part_is_forgotten_before_the_next(problem: Problem, tally: Tally) -> None:
    """What is kept for the gradient falls as the parts do, but for what all views share."""
    most = []
    for parts in (1, 4):
        chosen = settings(accumulate=parts)
        with torch.no_grad():
            motion = motion_of(problem, initial_state(problem, chosen).fields[0])
            mesh = problem.body(motion)
        mesh = dataclasses.replace(mesh, vertices=mesh.vertices.requires_grad_())
        tally.now = tally.most = 0
        verdict = judge(problem, chosen.distill, chosen.method, [], motion, mesh, index=0, begin=0)
        torch.stack(list(verdict.terms.values())).sum().backward()
        most.append(tally.most)
        del verdict
    assert most[1] < 0.4 * most[0]


def test_parts_must_be_even(problem: Problem) -> None:
    with pytest.raises(ValueError, match=r"`score\.accumulate` must divide score\.views=4, got 3"):
        settings(accumulate=3)
