"""What the latent ablation leaves of a prompt: its clips, their figures, and who moves in them."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.atomic import write_text
from motiondistill.data.labels import action_in
from motiondistill.engine.candidates import evidence_of_clips
from motiondistill.engine.fitting import fit, fit_state
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import Problem, motion_of, start_azimuths
from motiondistill.latents.ablation import LatentProblem
from motiondistill.latents.spaces import encoded
from motiondistill.metrics.recogniser import Recognition, load_recogniser
from motiondistill.metrics.video import motion_energy, temporal_flickering
from motiondistill.motion.motion_file import save_motion
from motiondistill.report.media import save_strip, save_video, shrink_tile
from motiondistill.structures import Motion

METRICS: Final = "metrics.json"
STRIP: Final = "strip.png"
FITTED_STRIP: Final = "fitted.png"
_MOTION: Final = "motion.npz"
_LIKELY: Final = 3  # actions that are told
_log = logging.getLogger(__name__)

DEFINITIONS: Final = {
    "loss": "of the last update; its gradient is what is asked for, its value means nothing",
    "motion_energy": "mean absolute difference of neighbouring frames, of values in [0, 1], over "
    "colours, pixels, time and views; 0 stands still",
    "motion_energy_by_view": "the same of each view's each two neighbouring frames",
    "temporal_flickering": "1 less that (Huang et al., VBench, 2024), the mean over views",
    "evidence": "how much the prompt helps the prior to denoise the clips: the mean squared error "
    "of the clean estimate with the negative prompt less that with the prompt, over sigma squared; "
    "the mean over flow times 0.75, 0.85 and 0.92",
    "recognised": "the body fitted to the first view's video, which is from the front, by the "
    "camera of the start; `score` is the probability of the action that the prompt names, and "
    "`misfit` the fit's last loss",
}


@torch.no_grad()
def clip_figures(
    problem: LatentProblem, video: Float[Tensor, "views frames 3 height width"]
) -> dict[str, Any]:
    """What is measured of the clips as they are seen; see `DEFINITIONS`.

    So evidence is that of the video encoded anew: what no eye can see of latents does not count.
    """
    critic, sides = problem.critic, problem.azimuths.tolist()
    energy = motion_energy(video)
    return {
        "motion_energy": energy.mean().item(),
        "motion_energy_by_view": energy.tolist(),
        "temporal_flickering": torch.stack([temporal_flickering(v) for v in video]).mean().item(),
        "evidence": evidence_of_clips(
            critic.prior,
            encoded(critic.prior, video),
            [critic.wording.positive(problem.prompt, azimuth) for azimuth in sides],
            [critic.wording.negative(critic.negative_prompt, azimuth) for azimuth in sides],
            problem.seed,
        ),
    }


def fit_body(
    problem: Problem,
    settings: Settings,
    video: Float[Tensor, "frames 3 height width"],
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Motion, float]:
    """The motion of the problem's body in a video from the front, and the fit's last loss.

    Assumes the problem's camera, scene and body: those that the video began with. Ends after the
    update after which `stopped` is true, with what is there by then.
    """
    _log.info("fitting the body to the first view, to recognise its action")
    height, width = problem.cameras.size
    seen = shrink_tile(video, min(height, width)) if video.shape[-2] > height else video
    assert seen.shape[-2:] == (height, width)
    state = fit_state(problem, seen[None], settings.fit.num_stances)
    loss = math.nan
    for step in fit(problem, settings, state):
        loss = step.loss.item()
        if stopped():
            break
    return motion_of(problem, state.fields[0]).detach(), loss


@torch.no_grad()
def recognised(problem: Problem, motion: Motion, misfit: float) -> dict[str, Any]:
    """What the recogniser says of a motion of the problem's body."""
    joints = problem.body(motion).joints
    found: Recognition = load_recogniser().recognise(joints, motion.fps)
    asked = action_in(problem.prompt)
    return {
        "action": found.action,
        "asked": asked,
        "score": None if asked is None else found.probabilities[asked],
        "probabilities": {name: found.probabilities[name] for name in found.among(_LIKELY)},
        "misfit": misfit,
    }


def write_clips(
    folder: Path,
    problem: LatentProblem,
    video: Float[Tensor, "views frames 3 height width"],
    metrics: Mapping[str, Any],
) -> None:
    """A video (.mp4) of each view, named by its degrees, a strip of all, and the figures."""
    for view, azimuth in zip(video, problem.azimuths.tolist(), strict=True):
        name = f"video_{round(math.degrees(azimuth)):03d}.mp4"
        save_video(folder / name, view, problem.critic.prior.format.fps)
    save_strip(folder / STRIP, video)
    text = json.dumps({**metrics, "definitions": DEFINITIONS}, indent=2) + "\n"
    write_text(folder / METRICS, text)


@torch.no_grad()
def write_fitted(folder: Path, problem: Problem, motion: Motion) -> None:
    """The motion in the first view, as a motion file that every command takes, and as a strip."""
    mesh = problem.body(motion)
    save_strip(folder / FITTED_STRIP, problem.scene(mesh, problem.cameras(start_azimuths(1))))
    save_motion(
        folder / _MOTION,
        motion,
        mesh.joints,
        prompt=problem.prompt,
        seed=problem.seed,
        body=problem.body.name,
        shape=problem.body.shape,
        expression=problem.body.expression,
    )
