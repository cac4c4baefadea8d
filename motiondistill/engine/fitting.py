"""Fits motions to videos through the renderer, or one to a reference."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.engine import parallel
from motiondistill.engine.gradients import watch
from motiondistill.engine.learning_rates import warm_cosine
from motiondistill.engine.profile import timed
from motiondistill.engine.reference_start import reference_error
from motiondistill.engine.stages import (
    Settings,
    State,
    Step,
    record,
    total,
    whole_motions,
    whole_penalties,
)
from motiondistill.engine.starts import Problem, clip_of, motion_of, new_field, start_azimuths
from motiondistill.motion.stances import READY, Stance
from motiondistill.regularizers.balance import tilt
from motiondistill.regularizers.statistics import UsualPoses, pose_deviation
from motiondistill.structures import Camera, Motion

# Blurs of the fit, coarse to fine, as shares of the image's height. A limb is drawn towards its
# place only from within the blur's reach.
_BLURS: Final = (0.19, 0.125, 0.08, 0.05, 0.025, 0.0)
# The pyramid's errors are about 1e-2; in units of 1/100 they match regularisers in SI units.
_FIT_SCALE: Final = 100.0
# Guides fall from their weight to this share of it, evenly in the logarithm, until this progress.
_LEFT, _GUIDED = 0.01, 0.6
# Progress of a fit when of the motions for each video one is kept. The blur is still coarse then,
# but the stances that lead nowhere have fallen behind.
_KEEP_ONE = 0.4


def fit_state(
    problem: Problem, targets: Float[Tensor, "samples frames 3 height width"], num_stances: int
) -> State:
    """The state before the first update of a fit to these videos, seen from `start_azimuths`.

    It has a candidate for each video and, of it, each stance that the field can take.
    """
    stances = _distinct(problem, READY[:num_stances])
    fields = [
        new_field(problem, index, stance) for index in range(len(targets)) for stance in stances
    ]
    return State("fit", nn.ModuleList(fields), targets)


@torch.no_grad()
def _distinct(problem: Problem, stances: Sequence[Stance]) -> list[Stance]:
    """The stances without those that look like one before: arms that do not move are not lifted."""
    kept: list[Stance] = []
    poses: list[Tensor] = []
    for stance in stances:
        pose = motion_of(problem, new_field(problem, 0, stance)).rotations
        if not any(torch.equal(pose, other) for other in poses):
            kept.append(stance)
            poses.append(pose)
    return kept


def views_to_fit(
    problem: Problem, state: State
) -> tuple[int, Camera, Float[Tensor, "candidates frames 3 height width"]]:
    """How many candidates each video of a fit has, and for each candidate its camera and video."""
    assert state.targets is not None
    count = len(state.targets)
    each = len(state.fields) // count
    cameras = problem.cameras(start_azimuths(count).repeat_interleave(each))
    return each, cameras, state.targets.repeat_interleave(each, 0) if each > 1 else state.targets


def fit(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits one motion to each sampled video through the renderer, coarse to fine.

    It is the one of several, from other stances, that has come nearest after a while. Yields after
    every update.
    """
    assert state.targets is not None
    knobs, count = settings.fit, len(state.targets)
    each, cameras, targets = views_to_fit(problem, state)
    for index in range(state.step, knobs.num_steps):
        progress = index / knobs.num_steps
        motion = Motion.stack([clip_of(problem, field) for field in state.fields])
        with timed("body"):
            mesh = problem.body(motion)
        with timed("render"):
            video = problem.scene(mesh, cameras)
        errors = fit_errors(video, targets, progress)
        terms = {"fit": errors.mean()}
        whole = whole_motions(problem, state.fields, motion)
        terms |= guides(
            whole,
            progress,
            upright=knobs.upright,
            usual=knobs.usual_poses,
            poses=problem.references.statistics,
        )
        terms |= whole_penalties(problem, settings, whole, mesh if whole is motion else None)
        loss = total(problem, index, terms)
        rate = knobs.learning_rate * warm_cosine(progress)
        where = problem.place(index)
        seen = watch(where, pixels=video, vertices=mesh.vertices, pose=motion.rotations)
        state.update(each * loss, rate, seen)  # a candidate's gradient is that without the others
        if each > 1 and state.step >= _KEEP_ONE * knobs.num_steps:
            best = errors.detach().view(count, each).argmin(1).tolist()
            kept = [each * video + stance for video, stance in enumerate(best)]
            state.keep(parallel.shared(kept))  # processors may round differently
            each, cameras, targets = views_to_fit(problem, state)
        motion = motion_of(problem, state.fields[0])
        yield record(index, "fit", loss, terms, motion, video, gradients=seen.sizes)


def fit_reference(problem: Problem, settings: Settings, state: State) -> Iterator[Step]:
    """Fits the motion to the problem's reference by its rotations and translation.

    Yields after every update.
    """
    assert problem.reference is not None
    for index in range(state.step, settings.fit.num_steps):
        motion = motion_of(problem, state.fields[0])
        terms = {"reference": reference_error(motion, problem.reference)}
        loss = total(problem, index, terms)
        rate = settings.fit.learning_rate * warm_cosine(index / settings.fit.num_steps)
        seen = watch(problem.place(index), pose=motion.rotations)
        state.update(loss, rate, seen)
        motion = motion_of(problem, state.fields[0])
        yield record(index, "fit", loss, terms, motion, None, gradients=seen.sizes)


def fit_errors(
    video: Float[Tensor, "batch frames 3 height width"],
    target: Float[Tensor, "batch frames 3 height width"],
    progress: float,
) -> Float[Tensor, " batch"]:
    """Squared errors of the videos after a blur that gets finer while `progress` goes from 0 to 1.

    Means over pixels, as the regularisers are: their weight against those does not depend on sizes.
    """
    sigma = video.shape[-2] * _BLURS[min(int(progress * len(_BLURS)), len(_BLURS) - 1)]
    difference = blur((video - target).flatten(0, 1), sigma).view(video.shape)
    # A blur of s pixels spreads an error over an area that grows as s^2: the factor keeps its
    # weight alike.
    return _FIT_SCALE * (1 + sigma**2) * difference.square().mean((1, 2, 3, 4))


def blur(
    images: Float[Tensor, "batch channels height width"], sigma: float
) -> Float[Tensor, "batch channels height width"]:
    """Images convolved with a Gaussian of `sigma` pixels, taken as zero beyond their edges."""
    if sigma == 0:
        return images
    radius = math.ceil(2.5 * sigma)
    offsets = torch.arange(-radius, radius + 1).to(images)
    kernel = torch.softmax(-offsets.square() / (2 * sigma**2), 0)
    # Rows and columns are small, so two banded matrices are faster than a convolution.
    height, width = images.shape[-2:]
    return _band(kernel, height) @ images @ _band(kernel, width)


def _band(kernel: Float[Tensor, " taps"], size: int) -> Float[Tensor, "size size"]:
    """The symmetric matrix that convolves a row of `size` samples with the kernel."""
    radius = len(kernel) // 2
    index = torch.arange(size, device=kernel.device)
    distance = (index[:, None] - index[None]).abs()
    return torch.where(distance <= radius, kernel[(radius + distance).clamp(max=2 * radius)], 0.0)


def guides(
    motion: Motion,
    progress: float,
    *,
    upright: float,
    usual: float,
    poses: UsualPoses | None,
) -> dict[str, Float[Tensor, ""]]:
    """What keeps a motion upright and its poses usual at first, with these weights at the outset.

    One view tells little of depth, and a blurred one little of limbs: unguided, trunks lean towards
    the camera. Later the picture decides. Raises ValueError for a weight without `poses`.
    """
    left = _LEFT ** min(progress / _GUIDED, 1.0)
    terms = {}
    if upright:
        terms["upright"] = upright * left * tilt(motion)
    if usual:
        if poses is None:
            raise ValueError("`poses` must be given for a weight of usual poses, got None.")
        terms["usual_poses"] = usual * left * pose_deviation(motion.rotations[..., 1:, :, :], poses)
    return terms
