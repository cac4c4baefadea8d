"""The shipped configurations: each runs, and the paper's says what the paper's code computes."""

import math

import pytest
import torch
from torch.nn.functional import mse_loss

from motiondistill import config, rotations
from motiondistill.build import make_problem, make_settings
from motiondistill.build_method import make_levels, make_rate
from motiondistill.cameras import view_azimuths
from motiondistill.optimize import initial_state, optimize
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.regularizers import rotation_6d
from motiondistill.schema import OptimizeConfig
from motiondistill.score.levels import stable_diffusion_sigmas
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.structures import NUM_JOINTS, Motion

NAMES = tuple(config.shipped("optimize"))
# Those that know the answer must be told which.
ACTIONS = {"paper": ["field.action=run"], "paper_legacy": ["field.action=run"]}
FEW = ["init.num_samples=1", "init.sampling_steps=2"]
# VideoCrafter2's latents of 10 frames of 320 x 512 pixels.
LATENTS = (1, 4, 10, 40, 64)
STEPS = 9


def paper(name: str = "paper") -> OptimizeConfig:
    return config.load(OptimizeConfig, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_configuration_takes_its_first_steps(name: str) -> None:
    # Only networks have weights to be drawn.
    model = "embedded" if paper(name).prior.weights == "random" else "gaussian"
    few = [*FEW, f"prior.model={model}", "score.num_steps=2"]
    if paper(name).init.num_steps:
        few.append("init.num_steps=1")
    settings = config.load(OptimizeConfig, name, [*few, *ACTIONS.get(name, [])])
    problem, knobs = make_problem(settings, "running"), make_settings(settings)
    state = initial_state(problem, knobs)
    steps = list(optimize(problem, knobs, state))
    assert state.step == len(steps) == settings.init.num_steps + 2
    assert steps[-1].motion.num_frames == problem.num_frames
    assert all(bool(step.loss.isfinite()) for step in steps)
    first, last = steps[0].motion.rotations, steps[-1].motion.rotations
    assert not torch.equal(first, last), "the second update must move the body"


def test_the_papers_configurations_differ_in_encoding_clamp_and_view_labels() -> None:
    theirs, ours = (
        dict(config.flat(config.to_dict(paper(name)))) for name in ("paper_legacy", "paper")
    )
    changed = {key: value for key, value in theirs.items() if value != ours[key]}
    assert changed == {
        "words.views": "legacy",
        "field.encoding": "legacy",
        "field.constraint": "hard",
        "field.width": 128,  # the default: their network has 32 of its own
    }


def test_the_papers_prompts() -> None:
    settings = paper()
    words, negative = settings.words, settings.prior.negative_prompt
    expected = "a shot of side view of a man running in the beach, full-body"
    assert words.positive("running", math.pi / 2) == expected
    assert words.negative(negative, 0.3) == negative
    assert negative.split(",")[0] == "unrealistic" and len(negative.split(",")) == 8


def test_the_papers_balance_of_score_and_regulariser() -> None:
    """1e-3 (0.5 mse(z, z - g, sum) + sum of squared 6D differences) is 1e-3 L times our loss."""
    generator = seeded(0)
    settings = paper()
    latents = torch.randn(LATENTS, generator=generator).requires_grad_()
    residual = torch.randn(LATENTS, generator=generator)
    raw = (0.3 * torch.randn(STEPS + 1, NUM_JOINTS, 3, generator=generator)).requires_grad_()
    motion = Motion(rotations.from_axis_angle(raw), torch.zeros(STEPS + 1, 3), 8.0)
    gradient = score_gradient(residual, torch.tensor([1.3]))
    ours = score_loss(latents, gradient) + settings.regularize.rotation_6d * rotation_6d(motion)
    asked = torch.autograd.grad(ours, [latents, raw], retain_graph=True)
    # pytorch3d.transforms.matrix_to_rotation_6d: the first two rows.
    numbers = motion.rotations[..., :2, :].flatten(-2)
    theirs = 0.5 * mse_loss(latents, (latents - gradient).detach(), reduction="sum")
    theirs = 1e-3 * theirs + 1e-3 * (numbers[1:] - numbers[:-1]).square().sum()
    expected = torch.autograd.grad(theirs, [latents, raw])
    for mine, other in zip(asked, expected, strict=True):
        torch.testing.assert_close(1e-3 * latents.numel() * mine, other, rtol=1e-4, atol=1e-7)
    others = settings.regularize
    weights = (others.angular_speed, others.joint_acceleration, others.ground_penetration)
    assert (*weights, others.tilt) == (0, 0, 0, 0)


@pytest.mark.parametrize(("axis", "rows"), [(0, 1), (1, 1), (2, 2)])
def test_a_turn_costs_a_chord_for_each_row_that_it_moves(axis: int, rows: int) -> None:
    generator, angle = seeded(1), 0.7
    turn = torch.zeros(3)
    turn[axis] = angle
    start = rotations.from_axis_angle(torch.randn(NUM_JOINTS, 3, generator=generator))
    after = start.clone()
    after[4] = rotations.from_axis_angle(turn) @ start[4]
    cost = rotation_6d(Motion(torch.stack([start, after]), torch.zeros(2, 3), 8.0))
    expected = rows * 4 * math.sin(angle / 2) ** 2 / NUM_JOINTS
    assert float(cost) == pytest.approx(expected, rel=1e-4)


def test_the_papers_levels_are_steps_of_its_schedule() -> None:
    from diffusers import DDPMScheduler

    known = DDPMScheduler(1000, 0.00085, 0.012, "scaled_linear").alphas_cumprod
    sigmas = stable_diffusion_sigmas()
    torch.testing.assert_close(sigmas, ((1 - known) / known).sqrt(), rtol=1e-4, atol=1e-5)
    levels = make_levels(paper().score)
    drawn = torch.cat([levels(step / 400, 1, generator=seeded(step)) for step in range(400)])
    steps = torch.searchsorted(sigmas, drawn)
    assert torch.equal(sigmas[steps], drawn)
    assert 20 <= int(steps.min()) < 40 and 960 < int(steps.max()) <= 980
    middle = steps.double().mean()
    assert abs(middle - 500) < 4 * (960 / 12**0.5) / 400**0.5, "uniform at any progress"


def test_the_papers_learning_rate_stays() -> None:
    rate = make_rate(paper().score)
    assert {rate(progress) for progress in (0.0, 0.3, 1.0)} == {1.0}
    default = make_rate(OptimizeConfig().score)
    assert default(0.0) < default(0.05) > default(1.0)


def test_the_papers_azimuths_are_uniform() -> None:
    jitter = paper().score.azimuth_jitter
    turns = torch.cat([view_azimuths(1, jitter=jitter, generator=seeded(k)) for k in range(2000)])
    shares = torch.histc((turns / (2 * math.pi)) % 1, 24, 0, 1) / len(turns)
    assert (shares - 1 / 24).abs().max() < 4 * (1 / 24 / len(turns)) ** 0.5


def test_views_are_named_in_quarters_and_as_the_papers_code_did() -> None:
    """Of 100 azimuths 25, 50 and 25 are front, side and back; in the code 13, 74 and 13 are."""
    degrees = [360 * index / 100 for index in range(100)]
    counts = {
        views: [
            [Wording(views=views).view(math.radians(angle)) for angle in degrees].count(name)
            for name in ("front view", "side view", "back view")
        ]
        for views in ("quarters", "legacy")
    }
    assert counts == {"quarters": [25, 50, 25], "legacy": [13, 74, 13]}
    quarters, legacy = Wording(views="quarters"), Wording(views="legacy")
    assert quarters.view(-0.5) == "front view" and legacy.view(-0.5) == "side view"
    assert quarters.view(2 * math.pi + 0.5) == legacy.view(0.5) == "front view"


@pytest.mark.parametrize(
    "template", ["a shot", "{prompt} {side}", "{prompt} {", "{prompt.x}", "{}"]
)
def test_wrong_templates_are_told(template: str) -> None:
    with pytest.raises(ValueError, match=r"`words\.template` must hold \{prompt\}"):
        Wording(template=template)


def test_templates_leave_prompts_alone() -> None:
    words = Wording(template="{view}: {prompt}!", negative_template="no {prompt}")
    assert words.positive("a {view} }{", 0.0) == "front view: a {view} }{!"
    assert words.negative("rain", 0.0) == "no rain"
    assert words.positive("", 0.0) == words.negative("", 0.0) == ""
