"""Objects from configurations: every choice by name is resolved here, by one `match` each."""

import dataclasses
import functools
import logging
import os
from pathlib import Path
from typing import assert_never

import torch

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.body.smplx import smplx_body
from motiondistill.body.smplx_file import find_model
from motiondistill.bookkeeping.probed_levels import with_probed_levels
from motiondistill.building.critics import make_critics
from motiondistill.building.field import (
    answer_known,
    check_groups,
    make_field,
    make_space,
    make_statistics,
    make_timeline,
    window_frames,
)
from motiondistill.building.method import make_method
from motiondistill.building.motion import read_motion
from motiondistill.building.prior import make_prior as make_prior
from motiondistill.building.prior import pinned as pinned
from motiondistill.building.regularizers import make_references, make_usual_poses
from motiondistill.cameras import Orbit
from motiondistill.engine.distillation import view_parts
from motiondistill.engine.reference_start import as_reference
from motiondistill.engine.stages import Settings
from motiondistill.engine.starts import FitSettings, Problem
from motiondistill.priors.base import VideoFormat
from motiondistill.randomness import seeded
from motiondistill.regularizers.statistics import UsualPoses
from motiondistill.render import nvdiffrast
from motiondistill.render.appearance import Appearance, NormalMap, PartColours, plain, textured
from motiondistill.render.background import Backdrop, Background, CubeMap, Sky, Solid
from motiondistill.render.clothing import random_outfit
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.ground import LEVEL_HALF_SIZE, Checks, Ground
from motiondistill.render.nvdiffrast import NvdiffrastRasterizer
from motiondistill.render.randomization import (
    Change,
    random_background,
    random_clothes,
    random_colours,
    random_light,
)
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT, Light
from motiondistill.render.shadow import ContactShadow
from motiondistill.render.tailoring import clothed
from motiondistill.report.media import read_cube_map, read_image
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.schema.look import BodyConfig, CameraConfig, RenderConfig
from motiondistill.structures import NUM_JOINTS, Mesh, Motion

logger = logging.getLogger(__name__)


def make_body(config: BodyConfig) -> Body:
    """The body of the chosen kind and shape.

    Raises FileNotFoundError, ImportError and ValueError for SMPL-X models that are missing, cannot
    be loaded, or are none.
    """
    match config.name:
        case "anny":
            knobs = {
                knob.name: getattr(config, knob.name) for knob in dataclasses.fields(Phenotype)
            }
            return anny_body(config.resolution, Phenotype(**knobs))
        case "smplx":
            path = find_model(config.model_path or os.environ.get("SMPLX_DIR"))
            return smplx_body(path, betas=config.betas, expression=config.expression)
        case _:
            assert_never(config.name)


def make_cameras(config: CameraConfig, native: VideoFormat) -> Orbit:
    """The orbit that the body is seen from, by default in the prior's own size and aspect."""
    size = config.size or (native.height, native.width)
    return Orbit(**(dataclasses.asdict(config) | {"size": size}))


def make_rasterizer(config: RenderConfig) -> Rasterizer:
    """What draws.

    Raises ImportError for nvdiffrast where it is not installed, ValueError where it has no CUDA
    device.
    """
    match config.rasterizer:
        case "cpu":
            return CpuRasterizer()
        case "nvdiffrast":
            return NvdiffrastRasterizer()
        case "reference":
            return ReferenceRasterizer()
        case "auto":
            return NvdiffrastRasterizer() if nvdiffrast.available() else CpuRasterizer()
        case _:
            assert_never(config.rasterizer)


def make_scene(config: RenderConfig, body: Body) -> Scene:
    """What is seen of the body and around it.

    Raises FileNotFoundError and ValueError for images that are missing or cannot be read.
    """
    rasterizer = make_rasterizer(config)
    return Scene(
        rasterizer,
        appearance=_make_appearance(config, body, rasterizer),
        light=UNLIT if config.shading == "unlit" else Light(config.light, config.ambient),
        background=_make_background(config),
        ground=_make_ground(config),
        supersampling=config.supersampling,
    )


def make_changes(config: RenderConfig, body: Body) -> tuple[Change, ...]:
    """What is drawn anew of the scene for every clip."""
    colours: Change = random_colours
    if config.appearance == "clothing" and config.shading != "normals":
        colours = random_clothes(at_rest(body))
    match config.randomize:
        case "nothing":
            return ()
        case "background":
            return (random_background,)
        case "light":
            return (random_light,)
        case "everything":
            return (random_background, random_light, colours)
        case _:
            assert_never(config.randomize)


def _make_appearance(config: RenderConfig, body: Body, rasterizer: Rasterizer) -> Appearance:
    if config.shading == "normals":
        return NormalMap()
    match config.appearance:
        case "parts":
            return PartColours()
        case "plain":
            return plain(config.colour)
        case "clothing":
            outfit = random_outfit(seeded(config.outfit, 0, "outfit"))
            return clothed(outfit, at_rest(body), rasterizer)
        case "texture":
            rest = at_rest(body)
            if rest.uv is None:
                raise ValueError(
                    "`render.appearance` must not be texture for a body without texture "
                    f"coordinates, got the body {body.name!r}; choose clothing or another body."
                )
            file = _named_file("render.texture", config.texture, "render.appearance=texture")
            return textured(read_image(file, "`render.texture`"))
        case _:
            assert_never(config.appearance)


def _make_background(config: RenderConfig) -> Background:
    key = "render.background_file"

    def file() -> Path:
        choice = f"render.background={config.background}"
        return _named_file(key, config.background_file, choice)

    match config.background:
        case "solid":
            return Solid(config.background_colour)
        case "sky":
            return Sky()
        case "image":
            return Backdrop(read_image(file(), f"`{key}`"))
        case "cube":
            return CubeMap(read_cube_map(file(), f"`{key}`"))
        case _:
            assert_never(config.background)


def _make_ground(config: RenderConfig) -> Ground | None:
    shadow = None if not config.shadow else ContactShadow(config.shadow)
    match config.ground:
        case "none":
            return None
        case "plain":
            return Ground(config.ground_colour, shadow=shadow)
        case "checkered":
            shadow = ContactShadow() if config.shadow is None else shadow
            return Ground(config.ground_colour, LEVEL_HALF_SIZE, Checks(), shadow)
        case _:
            assert_never(config.ground)


def _named_file(key: str, value: str | None, choice: str) -> Path:
    if value is None:
        raise ValueError(f"`{key}` must name a file for {choice}, got null; add {key}=PATH.")
    return Path(value)


def at_rest(body: Body) -> Mesh:
    """One frame of the body in the T-pose."""
    return body(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=1.0))


def make_problem(config: OptimizeConfig, prompt: str) -> Problem:
    """What `motiondistill optimize` optimises.

    Raises ValueError for clips that the prior cannot take and for views that cannot be dealt out
    evenly, and the errors of `make_references`, `make_critics` and `read_motion`.
    """
    space = make_space(config.field)  # first: a wrong name is told before anything is loaded
    view_parts(config.score)
    reference = _read_reference(config.init)
    prior = make_prior(config.prior, config.run.seed)
    timeline = make_timeline(config.field, config.run, prior.format)
    window = window_frames(config.run, timeline, prior.format)
    cameras = make_cameras(config.camera, prior.format)
    prior.format.check(window, *cameras.size)
    critics = make_critics(config, window, cameras.size)
    body = make_body(config.body)
    check_groups(config.field, body)
    return Problem(
        prompt=prompt,
        prior=prior,
        body=body,
        scene=make_scene(config.render, body),
        cameras=cameras,
        num_frames=timeline.num_frames,
        seed=config.run.seed,
        negative_prompt=config.prior.negative_prompt,
        wording=config.words,
        changes=make_changes(config.render, body),
        references=make_references(
            config.regularize,
            at_rest(body),
            timeline.num_frames,
            prior.format.fps,
            _make_usual_poses(config),
        ),
        new_field=functools.partial(make_field, config.field, timeline, space),
        window=None if window == timeline.num_frames else window,
        loop=config.field.loop,
        critics=critics,
        output_fps=config.run.fps,
        answer_known=answer_known(config.field),
        reference=None if reference is None else as_reference(reference, timeline),
    )


def _make_usual_poses(config: OptimizeConfig) -> UsualPoses | None:
    weights = {"regularize.pose_deviation": config.regularize.pose_deviation}
    if _fit_settings(config).guided:
        weights["init.usual_poses"] = config.init.usual_poses
    return make_usual_poses(weights, make_statistics(config.field))


def _fit_settings(config: OptimizeConfig) -> FitSettings:
    """Those of the start; what knows no poses is not held near usual ones."""
    known = config.field.statistics != "none"
    return config.init if known else dataclasses.replace(config.init, usual_poses=0.0)


def _read_reference(config: FitSettings) -> Motion | None:
    """The motion to start from, as its file has it; None for other starts."""
    if config.start != "reference":
        return None
    if config.motion is None:
        raise ValueError(
            "`init.motion` must name a motion file or a run's folder for init.start=reference, got "
            "null; add init.motion=PATH."
        )
    return read_motion("init.motion", config.motion).motion


def make_settings(config: OptimizeConfig) -> Settings:
    """The loop's knobs; raises as `with_probed_levels` does."""
    config = with_probed_levels(config)
    return Settings(
        _fit_settings(config), config.score, config.regularize, make_method(config.score)
    )
