"""A film from a configuration: what `motiondistill render` draws, every choice by name resolved."""

import dataclasses
import functools
import logging
from typing import assert_never

import torch

from motiondistill import trajectories
from motiondistill.body.base import Body
from motiondistill.building.objects import at_rest, make_body, make_changes, make_scene
from motiondistill.cameras import Orbit, heading
from motiondistill.film import pictures, shots
from motiondistill.film.drawing import Film, OutputSettings, depth_range, meshes
from motiondistill.film.pictures import Picture
from motiondistill.film.shots import ShotSettings
from motiondistill.motion.motion_file import MotionFile
from motiondistill.motion.resampling import smoothly_resampled
from motiondistill.randomness import seeded
from motiondistill.render.ground import LEVEL_HALF_SIZE
from motiondistill.render.randomization import randomized
from motiondistill.render.scene import Scene
from motiondistill.render.tracklets import spread
from motiondistill.schema.jobs import FilmConfig
from motiondistill.structures import Camera, Motion
from motiondistill.trajectories import Trajectory

logger = logging.getLogger(__name__)

# Pixels drawn at once, before they are averaged: what a batch of frames may need, 1 GB or so.
_BATCH_PIXELS = 2**21


def make_film(config: FilmConfig, file: MotionFile) -> Film:
    """All that is drawn; poses the whole motion once or twice to frame it.

    Raises the errors of `make_body` and `make_scene`.
    """
    body = make_body(config.body)
    logger.info("framing the motion")
    with torch.no_grad():
        once = file.motion
        if config.output.fps is not None:
            count = _num_resampled(once, config.output.fps, config.output.repeats)
            once = smoothly_resampled(once, config.output.fps, count)
        shown = torch.arange(config.output.repeats * once.num_frames) % once.num_frames
        motion = once.frames(shown)
        cameras = shots.cameras_along(
            functools.partial(_make_path, config.camera, motion.num_frames, motion.fps),
            config.camera,
            torch.arange(motion.num_frames) / motion.fps,
            heading(once),
            lambda: meshes(body, once),
        )
        scene = _levelled(make_scene(config.render, body))
        changes = make_changes(config.render, body)
        scene = randomized(scene, changes, seeded(config.run.seed, 0, "surroundings"))
        picture = _make_picture(config.output, scene, body, motion, cameras)
    height, width = config.camera.size
    pixels = height * width * config.render.supersampling**2
    views = tuple(shots.view_label(view) for view in config.camera.views)
    return Film(body, motion, cameras, picture, views, max(1, _BATCH_PIXELS // pixels))


def _num_resampled(motion: Motion, fps: float, repeats: int) -> int:
    """How many frames at `fps` a motion is long."""
    if repeats > 1:
        # The last frame is held for its time, too, so that clips follow in the motion's rhythm.
        return max(1, round(motion.num_frames * fps / motion.fps))
    # From the first frame to the last; a little more, lest the last one is lost to rounding.
    return int((motion.num_frames - 1) * fps / motion.fps + 1e-6) + 1


def _levelled(scene: Scene) -> Scene:
    """The scene with a level horizon. No prior sees a film, so it needs not the one it knows."""
    if scene.ground is None:
        return scene
    return dataclasses.replace(
        scene, ground=dataclasses.replace(scene.ground, half_size=LEVEL_HALF_SIZE)
    )


def _make_path(
    settings: ShotSettings, frames: int, fps: float, orbit: Orbit, azimuth: float
) -> Trajectory:
    """The path of a clip from one view."""
    # Paths end with the last frame. A turn ends a frame later, so that a whole one has no frame
    # twice when it is played again and again.
    seconds = max(frames - 1, 1) / fps
    match settings.path:
        case "still":
            return trajectories.still(orbit, azimuth=azimuth)
        case "turn":
            return trajectories.turn(orbit, settings.turn_angle, frames / fps, azimuth=azimuth)
        case "dolly":
            distance = settings.dolly_factor * orbit.distance
            return trajectories.dolly(orbit, distance, seconds, azimuth=azimuth)
        case "zoom":
            return trajectories.zoom(orbit, settings.zoom_factor, seconds, azimuth=azimuth)
        case "pan":
            return trajectories.pan(orbit, settings.pan_angle, seconds, azimuth=azimuth)
        case "key_frames":
            return shots.through(settings.key_frames, orbit, azimuth)
        case _:
            assert_never(settings.path)


def _make_picture(
    settings: OutputSettings, scene: Scene, body: Body, motion: Motion, cameras: Camera
) -> Picture:
    """What is shown."""
    match settings.kind:
        case "colours":
            return pictures.colours(scene)
        case "motion_map":
            return pictures.motion_map(at_rest(body), scene.rasterizer)
        case "skeleton_map":
            return pictures.skeleton()
        case "depth":
            return pictures.distances(scene, *depth_range(body, motion, cameras))
        case "parts":
            return pictures.parts(scene)
        case "tracklets":
            points = at_rest(body).vertices[0]
            if settings.points > len(points):
                raise ValueError(
                    f"`output.points` must be at most {len(points)} on this body, got "
                    f"{settings.points}; take fewer."
                )
            return pictures.tracks(scene, spread(points, settings.points))
        case _:
            assert_never(settings.kind)
