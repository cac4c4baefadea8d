"""Gradients of a known prior: where they lead, how clear they are, and what they suggest."""

import dataclasses

import pytest
import torch
from test_probing_pairs import NATIVE, PROMPTS, around, clips, seen, study_of
from torch import Tensor

from motiondistill.building.method import make_method
from motiondistill.engine.settings import DistillSettings
from motiondistill.motion.still import frozen
from motiondistill.priors.gaussian import GaussianPrior
from motiondistill.probing import changes
from motiondistill.probing.intervals import Estimate
from motiondistill.probing.settings import GradientSettings, ProbeSettings
from motiondistill.probing.slopes import CLEAR, Slopes, cosine, signal_to_noise, slope_rows
from motiondistill.probing.study import Clip, Study
from motiondistill.probing.suggestion import Suggestion, suggested, window
from motiondistill.randomness import seeded
from motiondistill.structures import NUM_JOINTS

FRONT = torch.tensor([0.0])
# Float32 through a renderer, two ways to one number.
ROUNDING = 1e-4
DRAWS = 96
SAMPLING = 0.25  # of the ratio of two variances of so many draws


def knowing(variance: float) -> GaussianPrior:
    """All it knows is how the walk looks from the front."""
    mean = seen(clips()[0].motion)[0]
    known = dataclasses.replace(around(mean), eigenvalues=torch.full_like(mean, variance))
    other = dataclasses.replace(known, mean=torch.full_like(mean, 0.5))
    return GaussianPrior(
        {f"{PROMPTS[0]}, front view": known, "a person, front view": other}, NATIVE
    )


def asked(objective: str, scales: tuple[float, ...] = (1.0,), draws: int = 3) -> Slopes:
    knobs = DistillSettings(objective=objective)  # type: ignore[arg-type]
    settings = GradientSettings(draws=draws, noise=0.2, guidance_scales=scales)
    return Slopes(knobs, make_method(knobs), settings, "a person")


def pose_noise(clip: Clip) -> Tensor:
    """That of the probe: the way back is its opposite."""
    generator = seeded(0, 0, f"probe pose noise of {clip.name}")
    return changes.pose_noise(NATIVE.frames, NUM_JOINTS, size=0.2, waves=4, generator=generator)


def perturbed(study: Study, clip: Clip) -> tuple[Tensor, Tensor]:
    """Tangent vectors at the perturbed motion, and how far its picture is from the real one's."""
    off = changes.turned_by(clip.motion, pose_noise(clip))
    pose = torch.zeros(NATIVE.frames, NUM_JOINTS, 3, requires_grad=True)
    video = study.scene(study.body(changes.turned_by(off, pose)), study.cameras(FRONT))
    return pose, video.transpose(1, 2).flatten() - seen(clip.motion)[0]


def test_without_noise_the_gradient_is_that_of_the_squared_distance() -> None:
    """Of a prior of one clip m, SDS asks for `w (x - m)`, the gradient of `w |x - m|^2 / 2`."""
    prior, clip = knowing(0.0), clips()[0]
    study = study_of(prior, azimuths=FRONT)
    (row,) = slope_rows(study, asked("sds"), clip)
    pose, apart = perturbed(study, clip)
    (slope,) = torch.autograd.grad(apart.square().sum() / 2, pose)
    expected = torch.nn.functional.cosine_similarity(slope.flatten(), pose_noise(clip).flatten(), 0)
    assert row.cosine == pytest.approx(float(expected), abs=ROUNDING)
    assert row.mean_cosine == pytest.approx(float(expected), abs=ROUNDING)
    assert row.cosine > 0.05
    assert row.signal_to_noise > 1e6  # no draw of noise is seen in it
    assert (row.level, row.view, row.guidance) == (0.5, 0.0, 1.0)


def test_signal_and_noise_are_those_of_the_closed_form() -> None:
    """`g = w J^T ((1 - k) (x - m) - k sigma n)` with the gain `k = v / (v + sigma^2)`, sigma 1."""
    clip, variance = clips()[0], 0.1
    study = study_of(knowing(variance), azimuths=FRONT)
    (row,) = slope_rows(study, asked("sds", draws=DRAWS), clip)
    pose, apart = perturbed(study, clip)
    (signal,) = torch.autograd.grad(apart.square().sum() / 2, pose, retain_graph=True)
    power = 0.0  # of J^T n, the squared Frobenius norm of J
    for draw in range(DRAWS):
        noise = torch.randn(apart.shape, generator=seeded(5, draw))
        (pulled,) = torch.autograd.grad(apart, pose, noise, retain_graph=True)
        power += float(pulled.square().sum()) / DRAWS
    gain = variance / (variance + 1)
    expected = ((1 - gain) / gain) ** 2 * float(signal.square().sum()) / power
    assert row.signal_to_noise == pytest.approx(expected, rel=SAMPLING)


def test_noise_that_a_prior_lets_through_makes_gradients_less_clear() -> None:
    clip = clips()[0]
    clear, noisy = (
        next(slope_rows(study_of(knowing(v), azimuths=FRONT), asked("sds", draws=6), clip))
        for v in (0.001, 10.0)
    )
    assert clear.signal_to_noise > 1000 * noisy.signal_to_noise
    assert clear.cosine > noisy.cosine


def test_guidance_is_asked_only_where_it_changes_the_direction() -> None:
    study, clip = study_of(knowing(0.01), azimuths=FRONT), clips()[0]
    scales = (1.0, 4.0)
    assert [row.guidance for row in slope_rows(study, asked("csd", scales), clip)] == [1.0]
    rows = list(slope_rows(study, asked("sds", scales), clip))
    assert [row.guidance for row in rows] == [1.0, 4.0]
    assert rows[0].cosine != rows[1].cosine
    # For `csd`, the same at any scale: what is left out would have been a repetition.
    one, four = (next(slope_rows(study, asked("csd", (scale,)), clip)).cosine for scale in scales)
    assert one == pytest.approx(four, abs=1e-6)


def test_what_moves_is_compared_with_what_stands_still() -> None:
    """Of a prior of one clip m, what it asks of x less what it asks of frozen y is `w (x - y)`."""
    knobs = DistillSettings(
        objective="moving_minus_static", reference_prompt=PROMPTS[0], guidance_scale=1.0
    )
    slopes = Slopes(
        knobs,
        make_method(knobs),
        GradientSettings(draws=2, noise=0.2, guidance_scales=(1.0,)),
        "a person",
    )
    study, clip = study_of(knowing(0.0), azimuths=FRONT), clips()[0]
    (row,) = slope_rows(study, slopes, clip)
    off = changes.turned_by(clip.motion, pose_noise(clip))
    pose, apart = perturbed(study, clip)
    moving = apart.detach() - (seen(frozen(off)) - seen(clip.motion))[0]
    (slope,) = torch.autograd.grad((apart * moving).sum(), pose)
    expected = torch.nn.functional.cosine_similarity(slope.flatten(), pose_noise(clip).flatten(), 0)
    assert row.cosine == pytest.approx(float(expected), abs=ROUNDING)


def steps(count: int, signal: float, spread: float, seed: int = 0) -> Tensor:
    """Draws of a gradient along the first joint's first axis, with noise on all numbers."""
    noise = spread * torch.randn(count, 4, 5, 3, generator=seeded(seed), dtype=torch.float64)
    noise[:, 0, 0, 0] += signal
    return noise


def test_signal_to_noise_is_the_squared_mean_over_the_variance() -> None:
    signal, spread, numbers = 3.0, 0.5, 4 * 5 * 3
    found = signal_to_noise(steps(4000, signal, spread))
    assert found == pytest.approx(signal**2 / (numbers * spread**2), rel=0.03)


def test_of_noise_alone_it_is_zero_on_average_for_few_draws() -> None:
    found = torch.tensor([signal_to_noise(steps(2, 0.0, 1.0, seed)) for seed in range(400)])
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean()) < 4 * error < 0.1


def test_draws_that_do_not_differ_are_clear() -> None:
    assert signal_to_noise(steps(3, 1.0, 0.0)) == CLEAR
    assert signal_to_noise(steps(3, 0.0, 0.0)) == 0.0


def test_cosines() -> None:
    way = torch.zeros(4, 5, 3)
    way[0, 0] = torch.tensor([2.0, 0, 0])
    some = torch.stack([way, -3 * way, way.roll(1, 2), 0 * way, way + way.roll(1, 2)])
    assert cosine(some, way) == pytest.approx([1, -1, 0, 0, 0.5**0.5])


def at(value: float, low: float | None) -> Estimate:
    return Estimate(value, low, None if low is None else 2 * value - low)


def test_a_window_is_what_passes_next_to_the_best() -> None:
    found = {
        0.1: at(0.30, 0.20),  # passes, but a gap lies between
        0.2: at(0.10, 0.05),  # less than half of the best
        0.4: at(0.25, 0.10),
        0.6: at(0.40, 0.30),
        0.8: at(0.35, -0.10),  # may be nothing
        0.9: at(0.30, 0.20),
    }
    assert window(found) == [0.4, 0.6]
    assert window({0.5: at(0.4, -0.1)}) == ()
    # One motion alone has no interval.
    assert window({0.5: at(0.4, None)}) == ()


def test_the_scale_whose_window_leads_back_best_is_suggested() -> None:
    weak, strong = {0.5: at(0.2, 0.1), 0.7: at(0.2, 0.1)}, {0.5: at(0.1, -0.1), 0.7: at(0.5, 0.3)}
    both = {1.0: weak, 4.0: strong}
    assert suggested(both, scale_matters=True) == Suggestion(0.7, 0.7, 4.0, 0.5)
    assert suggested({1.0: weak}, scale_matters=False) == Suggestion(0.7, 0.5, None, 0.2)
    assert suggested({1.0: {0.5: at(-0.2, -0.3)}}, scale_matters=True) is None


def test_settings_that_mean_nothing_are_refused() -> None:
    for wrong, told in (
        ({"levels": (0.5, 0.5)}, "probe.levels"),
        ({"levels": ()}, "probe.levels"),
        ({"levels": (1.5,)}, "between 0.02 and 0.98"),
        ({"levels": (9.0,), "level_measure": "log_snr"}, "between -8 and 8"),
        ({"views": ("above",)}, "probe.views"),
    ):
        with pytest.raises(ValueError, match=told):
            ProbeSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"gradient\.draws"):
        GradientSettings(draws=1)
    with pytest.raises(ValueError, match=r"gradient\.guidance_scales"):
        GradientSettings(guidance_scales=())
