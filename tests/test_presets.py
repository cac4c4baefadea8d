"""The shipped configurations: each runs, and the paper's says what the paper's code computes."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import mse_loss

from motiondistill import config, rotations
from motiondistill.building.method import make_levels, make_rate, make_weighting
from motiondistill.building.objects import make_problem, make_settings
from motiondistill.cameras import view_azimuths
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings, WeightingName
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.regularizers import rotation_6d
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.levels import stable_diffusion_sigmas
from motiondistill.score.loss import score_gradient, score_loss
from motiondistill.score.weightings import Weighting
from motiondistill.structures import NUM_JOINTS, Motion

NAMES = tuple(config.shipped("optimize"))
# Those that know the answer must be told which.
ACTIONS = {"paper": ["field.action=run"], "paper_legacy": ["field.action=run"]}
FEW = ["init.num_samples=1", "init.sampling_steps=2"]
# VideoCrafter2's latents of 10 frames of 320 x 512 pixels.
LATENTS = (1, 4, 10, 40, 64)
# Stable Diffusion's of two frames of 512 x 512.
IMAGE_LATENTS = (2, 4, 1, 64, 64)
STEPS = 9
TEXTS = (str, list, tuple)
NEGATIVE = "unrealistic,ugly,bad anatomy,not real,not realistic,not human,not a person,not a human"


def paper(name: str = "paper") -> OptimizeConfig:
    return config.load(OptimizeConfig, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_configuration_takes_its_first_steps(name: str) -> None:
    # Only networks have weights to be drawn.
    model = "embedded" if paper(name).prior.weights == "random" else "gaussian"
    few = [f"prior.model={model}", "score.num_steps=2"]
    if paper(name).init.updates:
        few += [*FEW, "init.num_steps=1"]
    if paper(name).image_prior.model:
        few.append("image_prior.model=gaussian")
    settings = config.load(OptimizeConfig, name, [*few, *ACTIONS.get(name, [])])
    problem, knobs = make_problem(settings, "running"), make_settings(settings)
    state = initial_state(problem, knobs)
    steps = list(optimize(problem, knobs, state))
    assert state.step == len(steps) == settings.init.updates + 2
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
    words, negative = paper().words, NEGATIVE
    expected = "a shot of side view of a man running in the beach, full-body"
    assert words.positive("running", math.pi / 2) == expected
    assert words.negative(negative, 0.3) == negative


def values() -> tuple[dict[str, Any], dict[str, Any]]:
    """All of the paper's, and those that are not the defaults."""
    found = dict(config.flat(config.to_dict(paper())))
    default = dict(config.flat(config.to_dict(OptimizeConfig())))
    return found, {key: value for key, value in found.items() if value != default[key]}


def test_every_number_of_the_papers_configuration_is_the_codes() -> None:
    """What the authors' code has, in its own units, for every key that the configuration sets."""
    height, latents = 1.622, math.prod(LATENTS)  # metres of Anny; their body's is 1
    expected: dict[str, float] = {
        "run.frames": 10,
        "score.num_steps": 10_000,
        "score.views": 1,
        "score.azimuth_jitter": math.pi / 8,
        "score.guidance_scale": 100,
        "score.motion_amplification": 2,
        "score.first_level": 980 / 1000,
        "score.last_level": 20 / 1000,
        "score.learning_rate": 5e-4,
        "image_prior.frames": 2,
        "image_prior.guidance_scale": 100,
        "image_prior.first_level": 990 / 1000,
        "image_prior.last_level": 100 / 1000,
        "image_prior.weight": math.prod(IMAGE_LATENTS[1:]) / latents,
        "regularize.angular_speed": 0,
        "regularize.joint_acceleration": 0,
        "regularize.ground_penetration": 0,
        "regularize.tilt": 0,
        "regularize.rotation_6d": STEPS * NUM_JOINTS / latents,
        "field.width": 32,
        "field.deviations": 3,
        "camera.elevation": math.radians(90 - 75),
        "camera.distance": 1.3 * height,
        "camera.target_height": 0.5 * height,
        "camera.fov_y": math.radians(50),
        "render.supersampling": 2,
        "run.checkpoint_every": 500,  # ours
    }
    settings, changed = values()
    numbers = {key for key, value in changed.items() if not isinstance(value, TEXTS)}
    assert numbers <= {*expected, "score.max_norm"} and settings["score.max_norm"] is None
    assert {key: settings[key] for key in expected} == pytest.approx(expected, rel=3e-4)


def test_every_word_of_the_papers_configuration_is_the_codes() -> None:
    _, changed = values()
    assert {key: value for key, value in changed.items() if isinstance(value, TEXTS)} == {
        "prior.model": "videocrafter2",
        "prior.negative_prompt": NEGATIVE,
        "image_prior.model": "stable-diffusion-2.1-base",
        "image_prior.negative_prompt": NEGATIVE,
        "image_prior.weighting": "fantasia3d",
        "words.template": "a shot of {view} of a man {prompt} in the beach, full-body",
        "words.negative_template": "{prompt}",
        "words.views": "quarters",
        "init.start": "neutral",
        "field.groups": ("body",),
        "field.start": "mean",
        "field.constraint": "soft",
        "field.statistics": "action",
        "score.objective": "sds",
        "score.level_path": "timesteps",
        "score.level_draw": "independent",
        "score.learning_schedule": "constant",
        "render.appearance": "clothing",
        "render.shading": "unlit",
        "render.background": "sky",
        "render.ground": "none",
    }


def test_the_papers_balance_of_scores_and_regulariser() -> None:
    """Ours times 1e-3 L is 1e-3 (0.5 mse(z, z - g, sum) / B), for both models, and 1e-3 of the sum
    of squared 6D differences; B is 1 for the video, and 2 for the frames.
    """
    generator = seeded(0)
    settings = paper()
    leaves, asked, sums = [], [], []
    levels = torch.tensor([1.3]), torch.tensor([0.7, 2.1])
    weightings = weighting_of("sds"), weighting_of(settings.image_prior.weighting)
    weights, shapes = (settings.score.weight, settings.image_prior.weight), (LATENTS, IMAGE_LATENTS)
    for weight, shape, sigma, weighting in zip(weights, shapes, levels, weightings, strict=True):
        latents = torch.randn(shape, generator=generator).requires_grad_()
        gradient = score_gradient(torch.randn(shape, generator=generator), sigma, weighting)
        leaves.append(latents)
        asked.append(weight * score_loss(latents, gradient))
        error = mse_loss(latents, (latents - gradient).detach(), reduction="sum")
        sums.append(0.5 * error / len(latents))
    raw = (0.3 * torch.randn(STEPS + 1, NUM_JOINTS, 3, generator=generator)).requires_grad_()
    motion = Motion(rotations.from_axis_angle(raw), torch.zeros(STEPS + 1, 3), 8.0)
    leaves.append(raw)
    asked.append(settings.regularize.rotation_6d * rotation_6d(motion))
    # pytorch3d.transforms.matrix_to_rotation_6d: the first two rows.
    numbers = motion.rotations[..., :2, :].flatten(-2)
    sums.append((numbers[1:] - numbers[:-1]).square().sum())
    ours = torch.autograd.grad(torch.stack(asked).sum(), leaves, retain_graph=True)
    theirs = torch.autograd.grad(1e-3 * torch.stack(sums).sum(), leaves)
    for mine, other in zip(ours, theirs, strict=True):
        assert other.abs().max() > 1e-5
        torch.testing.assert_close(1e-3 * math.prod(LATENTS) * mine, other, rtol=1e-4, atol=1e-7)


def weighting_of(name: WeightingName | None) -> Weighting:
    assert name is not None
    return make_weighting(DistillSettings(weighting=name))


def test_the_papers_weights_of_noise_levels() -> None:
    """Of the noise's residual: 1 - abar for videos, sqrt(abar) (1 - abar) for images."""
    settings = paper()
    alpha_bar = torch.tensor([0.99, 0.5, 0.02], dtype=torch.float64)
    sigma = ((1 - alpha_bar) / alpha_bar).sqrt()
    for name, expected in (
        (settings.score.weighting, 1 - alpha_bar),
        (settings.image_prior.weighting, alpha_bar.sqrt() * (1 - alpha_bar)),
    ):
        torch.testing.assert_close(weighting_of(name)(sigma), expected / sigma)


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
