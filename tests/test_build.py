"""Names in configurations become the objects they mean."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
import tiny_stable_diffusion
import torch
from small_problem import body
from tiny_ltx import save_tiny

from motiondistill import rotations
from motiondistill.building import objects
from motiondistill.cameras import Orbit
from motiondistill.priors.base import DiffusersPrior, VideoFormat
from motiondistill.render.background import FACE_NAMES
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.randomization import (
    Change,
    random_background,
    random_colours,
    random_light,
)
from motiondistill.render.scene import Scene
from motiondistill.schema.field import FieldSettings
from motiondistill.schema.jobs import OptimizeConfig, PriorConfig
from motiondistill.schema.look import BodyConfig, CameraConfig, RenderConfig
from motiondistill.schema.runs import RunConfig
from motiondistill.structures import NUM_JOINTS, Motion

FILES = ("texture", "background_file")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("prior"))


def weights(prior: DiffusersPrior) -> dict[str, torch.Tensor]:
    return dict(prior.denoiser.transformer.state_dict())


def test_pretrained_weights_are_the_folders_and_random_ones_are_the_seeds(folder: Path) -> None:
    def of(kind: str, seed: int) -> dict[str, torch.Tensor]:
        config = PriorConfig(str(folder), weights=kind)
        return weights(objects.make_prior(config, seed))

    def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(first[name], second[name]) for name in first)

    assert equal(of("pretrained", 0), of("pretrained", 1))
    assert equal(of("random", 0), of("random", 0))
    assert not equal(of("random", 0), of("random", 1))
    assert not equal(of("random", 0), of("pretrained", 0))


def test_an_unknown_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError, match=f"`prior.model` must be .*{missing}"):
        objects.make_prior(PriorConfig(str(missing)), 0)


def test_bodies_by_name() -> None:
    low = objects.make_body(BodyConfig("anny", "low"))
    assert (low.name, len(low.parts)) == ("anny-low", 1229)
    assert torch.equal(low.blend, body().blend)


def test_a_problem_is_the_configurations(folder: Path) -> None:
    config = OptimizeConfig(
        prior=PriorConfig(str(folder), negative_prompt="blurry"), run=RunConfig(seed=5)
    )
    problem = objects.make_problem(config, "a person squats")
    assert (problem.prompt, problem.negative_prompt, problem.seed) == (
        "a person squats",
        "blurry",
        5,
    )
    assert problem.num_frames == problem.prior.format.frames  # the prior's own length
    native = problem.prior.format
    assert problem.cameras == Orbit(size=(native.height, native.width))  # the prior's own aspect
    assert isinstance(problem.scene.rasterizer, CpuRasterizer)
    longer = dataclasses.replace(config, run=RunConfig(frames=13))
    assert objects.make_problem(longer, "x").num_frames == 13


def test_what_may_know_no_poses_is_not_held_near_usual_ones(folder: Path) -> None:
    config = OptimizeConfig(prior=PriorConfig(str(folder)), field=FieldSettings(statistics="none"))
    assert objects.make_settings(config).fit.usual_poses == 0
    assert objects.make_problem(config, "x").references.statistics is None
    knowing = OptimizeConfig(prior=PriorConfig(str(folder)))
    assert objects.make_settings(knowing).fit.usual_poses > 0
    assert objects.make_problem(knowing, "x").references.statistics is not None


def test_priors_of_images_get_clips_of_two_seconds(tmp_path: Path) -> None:
    images = tiny_stable_diffusion.save_tiny(tmp_path / "images")
    native = json.loads((images / "motiondistill.json").read_text())
    (images / "motiondistill.json").write_text(json.dumps({**native, "frames": 1, "fps": 8}))
    problem = objects.make_problem(OptimizeConfig(prior=PriorConfig(str(images))), "x")
    assert (problem.prior.format.frames, problem.num_frames) == (1, 16)
    assert problem.prior.format.fps == 8
    four = OptimizeConfig(prior=PriorConfig(str(images)), run=RunConfig(frames=4))
    assert objects.make_problem(four, "x").num_frames == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": RunConfig(frames=10)}, r"`frames` must be 4k\+1 .*got 10; nearest: 9 or 13"),
        ({"camera": dataclasses.replace(OptimizeConfig().camera, size=(60, 64))}, "`height` must"),
    ],
)
def test_clips_that_the_prior_cannot_take_are_refused_before_the_body_is_built(
    folder: Path, change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(objects, "make_body")
    config = dataclasses.replace(OptimizeConfig(prior=PriorConfig(str(folder))), **change)
    with pytest.raises(ValueError, match=message):
        objects.make_problem(config, "x")


def test_cameras_are_the_configurations() -> None:
    native = VideoFormat(fps=8.0, frames=16, height=48, width=80)
    assert objects.make_cameras(CameraConfig(), native) == Orbit(size=(48, 80))
    config = CameraConfig(0.3, 3.0, 1.0, 0.6, (32, 64), 0.1, 0.5, 0.05)
    assert objects.make_cameras(config, native) == Orbit(
        0.3, 3.0, 1.0, 0.6, (32, 64), 0.1, 0.5, 0.05
    )
    too_much = CameraConfig(distance=1.0, distance_jitter=1.0)
    with pytest.raises(ValueError, match=r"`distance` must stay between 0 and inf, got 1\.0"):
        objects.make_cameras(too_much, native)


def test_the_embedded_priors_videos_have_the_default_cameras() -> None:
    prior = objects.make_prior(PriorConfig(), 0)
    assert objects.make_cameras(CameraConfig(), prior.format) == Orbit()


def test_settings_are_the_groups_of_the_configuration() -> None:
    config = OptimizeConfig()
    settings = objects.make_settings(config)
    assert (settings.fit, settings.distill, settings.regularize) == (
        config.init,
        config.score,
        config.regularize,
    )
    assert settings.num_steps == config.init.num_steps + config.score.num_steps


def film(config: RenderConfig) -> torch.Tensor:
    scene = objects.make_scene(config, body())
    rest = body()(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=8.0))
    return scene(rest, Orbit(size=(48, 48))(torch.tensor([0.5])))


def test_the_default_scene_is_the_one_without_configuration() -> None:
    rest = body()(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), fps=8.0))
    plain = Scene(CpuRasterizer())(rest, Orbit(size=(48, 48))(torch.tensor([0.5])))
    assert torch.equal(film(RenderConfig()), plain)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image and a cube map's six, in one folder."""
    folder = tmp_path_factory.mktemp("images")
    for index, name in enumerate(("noise", *FACE_NAMES)):
        pixels = np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8)
        imageio.v3.imwrite(folder / f"{name}.png", pixels)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"appearance": "plain"},
        {"appearance": "plain", "colour": (1.0, 0.0, 0.0)},
        {"appearance": "clothing"},
        {"appearance": "clothing", "outfit": 1},
        {"appearance": "texture", "texture": "noise.png"},
        {"shading": "unlit"},
        {"shading": "normals"},
        {"light": (-1.0, 0.0, 0.0)},
        {"ambient": 0.1},
        {"background": "sky"},
        {"background": "image", "background_file": "noise.png"},
        {"background": "cube", "background_file": ""},
        {"background_colour": (0.0, 0.0, 0.0)},
        {"ground": "none"},
        {"ground_colour": (0.4, 0.1, 0.1)},
        {"ground": "checkered"},
        {"ground": "checkered", "shadow": 0.0},
        {"ground": "checkered", "ground_colour": (0.1, 0.1, 0.4)},
        {"shadow": 0.5},
    ],
)
def test_every_key_of_the_scene_changes_the_picture(
    change: dict[str, Any], images: Path, seen: list[torch.Tensor]
) -> None:
    files = {key: str(images / value) for key, value in change.items() if key in FILES}
    picture = film(RenderConfig(**{**change, **files}))
    assert 0 <= float(picture.min()) and float(picture.max()) <= 1 + 1e-6  # float32
    for other in seen:
        assert not torch.allclose(picture, other, atol=0.02)
    seen.append(picture)


@pytest.fixture(scope="module")
def seen() -> list[torch.Tensor]:
    """The pictures so far, the default's first."""
    return [film(RenderConfig())]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"appearance": "texture"}, "`render.texture` must name a file for render.appearance="),
        ({"background": "image"}, "`render.background_file` must name a file for render.backgr"),
        (
            {"background": "image", "background_file": "/nowhere.png"},
            "`render.background_f.* a file",
        ),
        ({"background": "cube", "background_file": "/nowhere"}, "`render.background_file` must be"),
        ({"background": "cube", "background_file": "/"}, "`render.background_file` must hold one"),
        ({"appearance": "texture", "texture": "/nowhere.png"}, "`render.texture` must be a file"),
        ({"appearance": "texture", "texture": __file__}, "`render.texture` must be readable"),
        ({"light": (0.0, 0.0, 0.0)}, "`direction` must not be zero"),
    ],
)
def test_a_scene_that_cannot_be_is_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        objects.make_scene(RenderConfig(**change), body())


def test_a_texture_needs_texture_coordinates(images: Path) -> None:
    bare = dataclasses.replace(body(), uv=None, uv_faces=None)
    config = RenderConfig(appearance="texture", texture=str(images / "noise.png"))
    with pytest.raises(ValueError, match=r"must not be texture .* got the body 'anny-low"):
        objects.make_scene(config, bare)


def test_what_is_drawn_anew_is_named() -> None:
    def changes(**keys: Any) -> tuple[Change, ...]:
        return objects.make_changes(RenderConfig(**keys), body())

    assert changes() == ()
    assert changes(randomize="background") == (random_background,)
    assert changes(randomize="light") == (random_light,)
    everything = (random_background, random_light, random_colours)
    assert changes(randomize="everything") == everything
    *surroundings, clothes = changes(randomize="everything", appearance="clothing")
    assert tuple(surroundings) == everything[:2] and clothes is not random_colours
