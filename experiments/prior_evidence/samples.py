"""Samples of a prior, or true clips in their place, and the motions that are fitted to them."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from embedded_training.shards import stored
from jaxtyping import Float
from torch import Tensor

from motiondistill.building.objects import make_problem, make_settings
from motiondistill.data import captions
from motiondistill.data.choreography import SIDES
from motiondistill.data.dataset import ActionDataset, action_dataset, mocap_windows
from motiondistill.engine.fitting import fit, fit_state
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import Problem, motion_of, sample_targets, start_azimuths
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.schema.prior import PriorConfig
from motiondistill.structures import Motion
from prior_evidence.groups import SAMPLES, TRUE, Group, Kind, packed, unpacked

Key: TypeAlias = tuple[Kind, str, int]
"""Of a group: its kind, its action, and its number among those of both."""


@dataclass(frozen=True)
class Sampling:
    """What groups are made with."""

    problem: Problem
    settings: Settings
    dataset: ActionDataset
    """Of true clips, at the prior's length and frame rate."""


def sampling_of(prior: str, seed: int, mocap: Path | None) -> Sampling:
    """The default start for this prior, and the true clips of the folder, if one is given."""
    config = OptimizeConfig(prior=PriorConfig(model=prior))
    config = dataclasses.replace(
        config,
        init=dataclasses.replace(config.init, num_samples=SAMPLES),
        run=dataclasses.replace(config.run, seed=seed),
    )
    problem = make_problem(config, captions.SUBJECTS[0])
    rest_joints, native = problem.body.rest_joints, problem.prior.format
    windows = []
    if mocap is not None:
        windows = mocap_windows(mocap, rest_joints, native.fps, native.frames)
    dataset = action_dataset(windows, rest_joints, native.fps, native.frames)
    return Sampling(problem, make_settings(config), dataset)


def stored_group(out: Path, prior: str, sampling: Sampling, key: Key) -> Group:
    """The group, made unless it lies in the folder.

    Raises ValueError for one there of another prior or seed, other settings of the fit, or other
    recordings.
    """
    file = out / "-".join(map(str, key)).replace(" ", "_")
    settings = sampling.settings
    origin = {
        "prior": prior,
        "seed": sampling.problem.seed,
        "fit": str(settings.fit),
        "regularize": str(settings.regularize),
        "actions": len(sampling.dataset.actions),
    }
    kept = stored(
        file.with_suffix(".safetensors"), origin, lambda: packed(make_group(sampling, key))
    )
    return unpacked(kept)


def wording(kind: Kind, action: str, place: int, generator: torch.Generator) -> tuple[str, str]:
    """Prompt and side of a group: the canonical caption first, then one by chance."""
    side = SIDES[(place + 1) % len(SIDES)]
    if kind in TRUE or (kind == "trained" and place == 0):
        return captions.canonical_caption(action, side), side
    choices = {
        "trained": captions.trained_captions,
        "held out": captions.held_out_captions,
        "unseen": captions.unseen_captions,
    }[kind](action, side)
    return choices[int(torch.randint(len(choices), (), generator=generator))], side


@torch.no_grad()
def true_clips(
    problem: Problem, dataset: ActionDataset, action: str, side: str, generator: torch.Generator
) -> tuple[Motion, Float[Tensor, "samples frames 3 height width"]]:
    """Motions of the training's distribution, and these rendered as samples are seen."""
    motions = [dataset.sample_clip(action, generator, side).motion for _ in range(SAMPLES)]
    motion, cameras = Motion.stack(motions), problem.cameras(start_azimuths(SAMPLES))
    return motion, problem.scene(problem.body(motion), cameras)


def fitted(
    problem: Problem,
    settings: Settings,
    videos: Float[Tensor, "samples frames 3 height width"],
) -> Motion:
    """The motions fitted to the videos, a batch."""
    state = fit_state(problem, videos, settings.fit.num_stances)
    for _ in fit(problem, settings, state):
        pass
    return Motion.stack([motion_of(problem, field).detach() for field in state.fields])


def make_group(sampling: Sampling, key: Key) -> Group:
    """Samples (or true clips), their fits, and what was asked for."""
    kind, action, place = key
    problem, settings = sampling.problem, sampling.settings
    generator = seeded(problem.seed, place, f"{kind} {action}")
    prompt, side = wording(kind, action, place, generator)
    seed = int(torch.randint(2**31, (), generator=generator))
    asked = dataclasses.replace(problem, prompt=prompt, seed=seed)
    if kind in TRUE:
        motion, videos = true_clips(problem, sampling.dataset, action, side, generator)
    else:
        videos = sample_targets(asked, settings.fit)
    if kind != "motion":
        motion = fitted(asked, settings, videos)
    with torch.no_grad():
        joints = problem.body(motion).joints
    return Group(kind, action, side, prompt, videos, motion, joints)
