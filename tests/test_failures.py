"""Runs that cannot go on say why and where, and leave the state before that on the disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import small_problem
from torch import Tensor, nn

from motiondistill import config
from motiondistill.bookkeeping import store
from motiondistill.bookkeeping.out_of_memory import is_out_of_memory, memory_told, remedies
from motiondistill.bookkeeping.progress import LineReporter
from motiondistill.building.objects import make_settings
from motiondistill.checkpoints import CHECKPOINTS, load_newest
from motiondistill.cli import main
from motiondistill.engine import optimize, stages
from motiondistill.engine.gradients import clip, watch
from motiondistill.engine.stages import Settings, State
from motiondistill.engine.starts import Problem, new_field
from motiondistill.motion.pose_field import PoseField
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.structures import Mesh

SEED, STEPS, BROKEN = 7, 4, 2
TINY = ["prior.model=gaussian", "camera.size=[16,16]", "run.frames=4", "init.start=neutral"]
TINY += ["score.num_steps=2", "score.views=1", "run.threads=1", "run.log_every=0"]


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem(gaussian_videos(), pixels=16, frames=4, seed=SEED)


@pytest.fixture(scope="module")
def settings() -> Settings:
    given = ["init.start=neutral", f"score.num_steps={STEPS}", "score.views=1"]
    return make_settings(config.load(OptimizeConfig, None, given))


def two_layers() -> nn.ModuleList:
    generator = seeded(0)
    layers = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 2)])
    for parameter in layers.parameters():
        nn.init.normal_(parameter, generator=generator)
    return layers


def test_what_is_watched_is_the_gradient_and_it_is_not_changed() -> None:
    """Of sum(c * W2 (W1 x)): c at the end, and W2^T c in the middle."""
    ends = torch.tensor([[3.0, -4.0]])
    gradients = []
    for watching in (False, True):
        first, last = two_layers()
        middle = first(torch.ones(1, 3))
        end = last(middle)
        if watching:
            unused = torch.ones(1)
            seen = watch("here", end=end, middle=middle, unused=unused)
        (end * ends).sum().backward()
        gradients.append([parameter.grad for parameter in (*first.parameters(),)])
    assert list(seen.sizes) == ["end", "middle"]  # as they came by, and only what has one
    assert float(seen.sizes["end"]) == pytest.approx((25 / 2) ** 0.5)
    expected = (ends @ last.get_parameter("weight").detach()).square().mean().sqrt()
    assert float(seen.sizes["middle"]) == pytest.approx(float(expected))
    assert all(map(torch.equal, *gradients))


@pytest.mark.parametrize("most", [0.1, 1e9])
def test_each_field_is_clipped_as_torch_does(most: float) -> None:
    ours, theirs = two_layers(), two_layers()
    for fields in (ours, theirs):
        fields[1](fields[0](torch.ones(1, 3))).square().sum().backward()
    clip(ours, most)
    for field in theirs:
        nn.utils.clip_grad_norm_(field.parameters(), most)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None and other.grad is not None
        assert torch.equal(mine.grad, other.grad)


def test_a_gradient_that_is_no_number_is_told_by_parameter_and_nothing_changes() -> None:
    fields = two_layers()
    for parameter in fields.parameters():
        parameter.grad = torch.ones_like(parameter)
    fields[1].get_parameter("bias").grad[1] = torch.inf
    with pytest.raises(FloatingPointError, match=r"got others at `1\.bias`; lower"):
        clip(fields, 0.1)
    assert all(bool((each.grad == 1).all()) for each in fields[0].parameters())


def broken_penalties(kind: str) -> Any:
    """The regularisers, and one that breaks in the update number `BROKEN`."""
    kept, calls = stages.penalties, []

    def penalties(motion: Any, mesh: Mesh, *given: Any) -> dict[str, Tensor]:
        calls.append(0)
        terms = kept(motion, mesh, *given)
        if len(calls) == BROKEN + 1:
            length = (mesh.vertices - mesh.vertices.detach()).square().sum()
            # The root of zero is a number, and its slope is none.
            terms["broken"] = length.sqrt() if kind == "gradient" else length / length
        return terms

    return penalties


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("loss", rf"got nan \(score .*broken nan\) at step {BROKEN} of seed {SEED} by broken; "),
        (
            "gradient",
            r"The gradient must be finite, got others at .*and 3 more, and from the vertices on, "
            rf"at step {BROKEN} of seed {SEED}; lower the learning rate or the guidance\.",
        ),
    ],
)
def test_the_state_before_the_broken_step_is_kept(
    problem: Problem,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: str,
    message: str,
) -> None:
    from rich.console import Console

    def carry_out(state: State, folder: Path) -> None:
        store.carry_out(
            optimize.optimize(problem, settings, state),
            state,
            folder=folder,
            checkpoint_every=100,
            report=LineReporter(Console(quiet=True), STEPS),
        )

    whole = optimize.initial_state(problem, settings)
    carry_out(whole, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(stages, "penalties", broken_penalties(kind))
        with pytest.raises(FloatingPointError, match=message):
            carry_out(optimize.initial_state(problem, settings), tmp_path / "cut")
    saved = load_newest(tmp_path / "cut" / CHECKPOINTS)
    assert saved["step"] == BROKEN
    resumed = store.restore(saved, lambda index: new_field(problem, index))
    carry_out(resumed, tmp_path / "cut")
    pairs = zip(whole.fields.parameters(), resumed.fields.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_every_allocator_is_understood_and_other_errors_pass() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    errors = (
        caught.value,
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
        MemoryError(),
    )
    default = OptimizeConfig()
    for error in errors:
        assert is_out_of_memory(error)
        with (
            pytest.raises(MemoryError, match=r"try prior\.batch_size=1, then "),
            memory_told(default),
        ):
            raise error
    with (
        pytest.raises(MemoryError, match=r"but 2\.00 GiB more were wanted; "),
        memory_told(default),
    ):
        raise errors[1]
    for other in (RuntimeError("shapes differ"), ValueError("out of memory")):
        with pytest.raises(type(other), match=str(other)), memory_told(default):
            raise other


DISTILLING = State("distill", nn.ModuleList([PoseField(generator=seeded(0))]), None)


@pytest.mark.parametrize("state", [None, DISTILLING])
def test_remedies_are_settings_that_there_are_and_end(state: State | None) -> None:
    given = ["render.supersampling=4", "camera.size=[32,32]", "image_prior.model=gaussian"]
    tried = list(given)
    while len(found := remedies(config.load(OptimizeConfig, None, tried), state)) > 1:
        tried = [*tried, found[0]]
        assert len(tried) < 20
    assert found == ["a camera.size below [32, 32]"]
    keys = {word.split("=")[0] for word in tried[3:]}
    here = {"prior.encode", "score.accumulate", "image_prior.frames"}
    assert keys == {"prior.batch_size", "render.supersampling"} | (
        here if state is DISTILLING else {"init.num_stances", "init.num_samples"}
    )


@pytest.mark.parametrize("stances", [3, 1])
def test_fewer_stances_are_no_remedy_once_one_is_left(stances: int) -> None:
    fields = nn.ModuleList([PoseField(generator=seeded(0)) for _ in range(2 * stances)])
    state = State("fit", fields, torch.zeros(2, 1, 3, 1, 1))
    assert ("init.num_stances=1" in remedies(OptimizeConfig(), state)) == (stances > 1)


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge(*_: Any, index: int, **__: Any) -> None:
        torch.empty(2**60)

    monkeypatch.setattr(optimize, "judge", judge)
    assert main(["optimize", "a person walks", "--out", str(tmp_path / "run"), *TINY]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    start = "motiondistill: error: The memory must hold what one update needs, but "
    assert last.startswith(start) and " bytes more were wanted at step 0; try prior.batch" in last
    assert "prior.encode=two_pass" in last and "init." not in last
