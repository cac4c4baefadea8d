"""Does the embedded prior know the actions? Its samples, fitted to the body and recognised.

    python experiments/embedded_prior.py [--prior embedded] [--mocap FOLDER] [--training FOLDER]
        [--out runs/embedded_prior] [--seed 0] [--only ACTION ...]

For every action and wording, videos are sampled from three frontal views, a motion is fitted to
each through the renderer, and the recogniser (trained on motion capture, never on samples) names
it. The same is done with rendered true clips: what fit and recogniser lose by themselves; `--mocap`
gives them the actions that only motion capture has. Groups that are done are not done again. Writes
results/embedded_prior.md; `--training` adds the curves of the training in that folder, and `--only`
writes no page.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from embedded_training.shards import stored
from jaxtyping import Float
from prior_evidence.groups import KINDS, SAMPLES, TRUE, Group, Kind, packed, unpacked
from prior_evidence.page import write_page
from rich.progress import track
from torch import Tensor

from motiondistill.build import make_problem, make_settings
from motiondistill.data import captions
from motiondistill.data.choreography import SIDES
from motiondistill.data.dataset import ActionDataset, action_dataset, mocap_windows
from motiondistill.optimize import Settings, fit, fit_state
from motiondistill.prior_schema import PriorConfig
from motiondistill.randomness import seeded
from motiondistill.schema import OptimizeConfig
from motiondistill.starts import Problem, motion_of, sample_targets, start_azimuths
from motiondistill.structures import Motion

# Of each kind for each action; sides come by turns.
GROUPS: Final[dict[Kind, int]] = {"trained": 2, "held out": 2, "unseen": 1, "truth": 1, "motion": 1}


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


def make_group(
    problem: Problem, settings: Settings, dataset: ActionDataset, key: tuple[Kind, str, int]
) -> Group:
    """Samples (or true clips), their fits, and what was asked for."""
    kind, action, place = key
    generator = seeded(problem.seed, place, f"{kind} {action}")
    prompt, side = wording(kind, action, place, generator)
    seed = int(torch.randint(2**31, (), generator=generator))
    asked = dataclasses.replace(problem, prompt=prompt, seed=seed)
    if kind in TRUE:
        motion, videos = true_clips(problem, dataset, action, side, generator)
    else:
        videos = sample_targets(asked, settings.fit)
    if kind != "motion":
        motion = fitted(asked, settings, videos)
    with torch.no_grad():
        joints = problem.body(motion).joints
    return Group(kind, action, side, prompt, videos, motion, joints)


def carry_out(
    options: argparse.Namespace,
    problem: Problem,
    settings: Settings,
    dataset: ActionDataset,
    actions: Sequence[str],
) -> Iterator[Group]:
    """All groups of these actions, made unless they lie in `options.out`.

    Raises ValueError for groups there of another prior or seed.
    """
    keys = [
        (kind, action, place)
        for action in actions
        for kind in KINDS
        for place in range(GROUPS[kind])
        if kind not in TRUE or action in dataset.actions
    ]
    for key in track(keys, description="groups"):
        file = options.out / "-".join(map(str, key)).replace(" ", "_")
        origin = {"prior": options.prior, "seed": problem.seed}
        yield unpacked(
            stored(
                file.with_suffix(".safetensors"),
                origin,
                lambda key=key: packed(make_group(problem, settings, dataset, key)),
            )
        )


def main() -> None:
    """All groups, then the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/embedded_prior"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=captions.ACTIONS)
    options = parser.parse_args()
    config = OptimizeConfig(prior=PriorConfig(model=options.prior))
    config = dataclasses.replace(
        config,
        init=dataclasses.replace(config.init, num_samples=SAMPLES),
        run=dataclasses.replace(config.run, seed=options.seed),
    )
    problem, settings = make_problem(config, captions.SUBJECTS[0]), make_settings(config)
    rest_joints, native = problem.body.rest_joints, problem.prior.format
    windows = []
    if options.mocap:
        windows = mocap_windows(options.mocap, rest_joints, native.fps, native.frames)
    dataset = action_dataset(windows, rest_joints, native.fps, native.frames)
    options.out.mkdir(parents=True, exist_ok=True)
    actions = options.only or list(captions.ACTIONS)
    groups = list(carry_out(options, problem, settings, dataset, actions))
    if not options.only:
        command = f"experiments/embedded_prior.py --prior {options.prior}"
        write_page(groups, problem, options.training, command)


if __name__ == "__main__":
    main()
