"""What a probe asks whom, from its configuration."""

from pathlib import Path
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.building.field import IMAGE_FRAMES
from motiondistill.building.method import make_method
from motiondistill.building.objects import make_body, make_cameras, make_scene
from motiondistill.building.prior import make_prior
from motiondistill.film.shots import view_azimuth
from motiondistill.priors.base import DiffusersPrior, Prior
from motiondistill.priors.loading import randomized
from motiondistill.probing.changes import SWAY, fastest_slide
from motiondistill.probing.clips import Source, folder_source, parametric_source
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.slopes import Slopes
from motiondistill.probing.statistic import takes_images
from motiondistill.probing.study import GIVEN, Study
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import ProbeConfig
from motiondistill.score.levels import sigma_of


def make_study(config: ProbeConfig) -> Study:
    """The prior with its copies, and how clips are seen.

    Raises as `make_prior` and `make_scene` do, and ValueError for clips that the prior cannot take
    and slides that its frames cannot show.
    """
    prior = make_prior(config.prior, config.run.seed)
    _check_slides(config.probe.slide_speed, prior.format.fps)
    cameras = make_cameras(config.camera, prior.format)
    prior.format.check(clip_frames(config, prior), *cameras.size)
    body = make_body(config.body)
    return Study(
        priors=with_copies(prior, config.probe.null_copies, config.run.seed),
        body=body,
        scene=make_scene(config.render, body),
        cameras=cameras,
        azimuths=torch.tensor([view_azimuth(view) for view in config.probe.views]),
        sigmas=snapped_levels(config.probe, prior),
        seed=config.run.seed,
        wording=config.words,
        settings=config.probe,
    )


def _check_slides(speed: float, fps: float) -> None:
    """Refuses slides that sway to the other side and back between frames."""
    most = fastest_slide(fps)
    if speed >= most:
        raise ValueError(
            f"`probe.slide_speed` must be below {most:g} m/s for the prior's {fps:g} frames a "
            f"second, which cannot show a faster sway of {SWAY:g} m, got {speed:g}; set it to "
            f"{most / 2:g} or less."
        )


def with_copies(prior: DiffusersPrior, count: int, seed: int) -> dict[str, DiffusersPrior]:
    """The prior, and copies of it with random weights, which share all but the denoiser.

    Raises ValueError for copies of a prior that has no weights.
    """
    try:
        copies = {
            f"random-{place + 1}": randomized(prior, seeded(seed, place, "probe random weights"))
            for place in range(count)
        }
    except ValueError as error:
        raise ValueError(
            "`probe.null_copies` must be 0 for a prior without weights to draw anew, got "
            f"{count}; add probe.null_copies=0."
        ) from error
    return {GIVEN: prior} | copies


def snapped_levels(settings: ProbeSettings, prior: DiffusersPrior) -> Float[Tensor, " levels"]:
    """The prior's own levels nearest to those of the settings, from low to high, each once."""
    levels = torch.tensor(settings.levels)
    match settings.level_measure:
        case "flow_time":
            sigmas = sigma_of(levels)
        case "log_snr":
            sigmas = (-levels / 2).exp()
        case _:
            assert_never(settings.level_measure)
    return torch.tensor(sorted({*prior.snap(sigmas).tolist()}))


def make_slopes(config: ProbeConfig) -> Slopes | None:
    """How gradients are asked for; None where they are left out."""
    if config.gradient.draws == 0:
        return None
    return Slopes(
        config.score, make_method(config.score), config.gradient, config.prior.negative_prompt
    )


def make_source(config: ProbeConfig, study: Study, folder: Path | None) -> Source:
    """Where motions come from; see `motion_source`."""
    frames = clip_frames(config, study.prior)
    return motion_source(
        folder, study.body.rest_joints, study.prior.format.fps, frames, config.run.seed
    )


def motion_source(
    folder: Path | None,
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
    seed: int,
) -> Source:
    """Motions from the folder, or parametric ones without one.

    Raises FileNotFoundError and ValueError for a folder without motions of a known action.
    """
    if folder is None:
        return parametric_source(rest_joints, fps, frames, seed)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`--motions` must be a folder of motions, got {folder}; check the path."
        )
    return folder_source(folder, rest_joints, fps, frames, key="--motions")


def clip_frames(config: ProbeConfig, prior: Prior) -> int:
    """How many frames a clip has."""
    native = prior.format
    usual = IMAGE_FRAMES if takes_images(native) else native.frames
    return config.run.frames or usual
