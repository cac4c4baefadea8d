"""Films are the same in batches as at once, and their pictures show what their values say."""

import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import film as build_film
from motiondistill.cameras import project
from motiondistill.data.parametric import parametric_motion
from motiondistill.film import drawing as film
from motiondistill.film.drawing import Film, OutputSettings, depth_range, one_view, shoot
from motiondistill.film.pictures import distances
from motiondistill.film.shots import ShotSettings
from motiondistill.motion.motion_file import MotionFile
from motiondistill.randomness import seeded
from motiondistill.render.appearance import part_palette
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.motion_map import encode
from motiondistill.render.scene import Scene
from motiondistill.report.film_files import film_paths, side_by_side, write_film
from motiondistill.schema.jobs import FilmConfig
from motiondistill.schema.look import BodyConfig, RenderConfig

KINDS = get_args(OutputSettings.__dataclass_fields__["kind"].type)
# Sums of matrix products come in another order when there are more frames; so does blending.
ROUNDING = 1e-5
# Whether a vertex on the edge of what is seen is marked hangs on the last bit of a product, which
# is another for another number of frames.
FLIPS = {"tracklets": 0.01}
PLACE = 1e-4  # the same in metres and pixels
# A value half-way between two bytes falls to either, for the same reason.
BYTES = 1e-3
FRAMES = 5


@pytest.fixture
def make(low_body: SkinnedBody, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a small film of a walk with the low body."""
    monkeypatch.setattr(build_film, "make_body", lambda config: low_body)
    motion = parametric_motion("walk", "left", seeded(3), low_body.rest_joints, 8.0, FRAMES)
    file = MotionFile(motion, low_body(motion).joints, "anny-low", torch.zeros(0), "a walk", 0, "0")

    def made(kind: Any = "colours", **groups: Any) -> Film:
        shot = ShotSettings(**{"size": (40, 48), "path": "turn", **groups.pop("camera", {})})
        output = OutputSettings(kind, **groups.pop("output", {}))
        look = RenderConfig(supersampling=1, **groups.pop("render", {}))
        return build_film.make_film(FilmConfig(BodyConfig(), shot, look, output), file)

    return made


@pytest.mark.parametrize("kind", KINDS)
def test_batches_together_are_the_film(make: Any, kind: str) -> None:
    whole = make(kind, camera={"views": ("front", "left")})
    assert whole.batch >= FRAMES
    (expected,) = shoot(whole)
    batches = list(shoot(dataclasses.replace(whole, batch=2)))
    assert [batch.video.shape[1] for batch in batches] == [2, 2, 1]
    video = torch.cat([batch.video for batch in batches], 1)
    assert video.shape == (2, FRAMES, 3, 40, 48)
    off = ((video - expected.video).abs() > ROUNDING).float().mean()
    assert off <= FLIPS.get(kind, 0.0)
    assert not torch.equal(video[0], video[1])
    for name, values in expected.data.items():
        found = torch.cat([batch.data[name] for batch in batches], 1)
        assert found.dtype == values.dtype
        distance = (found.double() - values.double()).abs()
        if found.dtype == torch.uint8:
            assert distance.max() <= 1 and distance.mean() < BYTES
        else:
            assert (distance > PLACE).float().mean() <= FLIPS.get(kind, 0.0)


def test_depth_in_grey_falls_with_distance_on_one_scale_for_the_clip(make: Any) -> None:
    whole = make("depth")
    (batch,) = shoot(whole)
    metres, grey = batch.data["depth"], batch.video[:, :, 0]
    nearest, farthest = depth_range(whole.body, whole.motion, whole.cameras)
    order = metres.flatten().argsort()
    assert bool((grey.flatten()[order].diff() <= 1e-6).all())
    assert bool((grey[metres.isinf()] == 0).all()) and bool(metres.isinf().any())
    body = (metres >= nearest) & (metres <= farthest)
    expected = np.interp(metres[body].numpy(), [nearest, farthest], [1.0, 0.25])
    assert 200 < int(body.sum()) and np.allclose(grey[body].numpy(), expected, atol=1e-5)
    beyond = metres.isfinite() & (metres > farthest)
    assert torch.allclose(grey[beyond] * metres[beyond], torch.tensor(0.25 * farthest), atol=1e-5)


def test_the_range_of_depths_is_that_of_all_vertices_in_all_frames_and_views(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make("depth", camera={"views": ("front", "2.0"), "path": "turn"})
    _, depth = project(whole.body(whole.motion).vertices, whole.cameras)
    expected = (float(depth.min()), float(depth.max()))
    assert depth_range(whole.body, whole.motion, whole.cameras) == pytest.approx(expected)
    monkeypatch.setattr(film, "_BATCH_POINTS", 2 * len(whole.body.parts))
    assert depth_range(whole.body, whole.motion, whole.cameras) == pytest.approx(expected)


def test_a_flat_scale_divides_by_nothing() -> None:
    scene = Scene(CpuRasterizer())
    assert distances(scene, 1.0, 1.0).meaning["units"].startswith("metres")


def test_parts_are_painted_in_the_bodys_colours_on_white(make: Any) -> None:
    (batch,) = shoot(make("parts"))
    mask, video = batch.data["parts"], batch.video.movedim(2, -1)
    assert len(mask.unique()) > 12
    assert bool((video[mask < 0] == 1).all())
    assert torch.equal(video[mask >= 0], part_palette()[mask[mask >= 0].long()])


def test_bytes_of_motion_maps_are_those_of_the_pictures(make: Any) -> None:
    (batch,) = shoot(make("motion_map"))
    stored = batch.data["motion_map"].movedim(-1, 2) / 255
    assert torch.allclose(stored, batch.video, atol=0.5 / 255 + 1e-6)
    black = encode(torch.zeros(3, 1, 1), torch.full((1, 1), -1))
    assert torch.equal(batch.video[0, 0, :, :1, :1], black)


def test_tracks_are_marked_where_they_are_seen_and_nowhere_else(make: Any) -> None:
    marked = make("tracklets", output={"points": 5}, camera={"size": (200, 200)})
    plain = make("colours", camera={"size": (200, 200)})
    (with_marks,), (without,) = shoot(marked), shoot(plain)
    changed = (with_marks.video != without.video).any(2)
    pixels, visible = with_marks.data["pixels"], with_marks.data["visible"]
    assert 0 < int(visible.sum()) < visible.numel()
    near = torch.zeros_like(changed)
    for frame in range(FRAMES):
        for point in visible[0, frame].nonzero().flatten():
            column, row = pixels[0, frame, point].long().tolist()
            assert bool(changed[0, frame, row, column])
            near[0, frame, max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = True
    assert not bool((changed & ~near).any())


def test_frames_are_resampled_and_repeated(make: Any) -> None:
    once, smooth = make(), make(output={"fps": 24.0})
    assert (smooth.motion.fps, smooth.motion.num_frames) == (24.0, 3 * (FRAMES - 1) + 1)
    kept = smooth.motion.rotations[::3]
    assert torch.allclose(kept, once.motion.rotations, atol=1e-5)
    often = make(output={"repeats": 3})
    assert torch.equal(often.motion.translation[FRAMES : 2 * FRAMES], once.motion.translation)
    assert often.cameras.camera_from_world.shape == (1, 3 * FRAMES, 4, 4)
    # The camera goes round once, however often the motion is played.
    turns = often.cameras.camera_from_world[0, ::3, :3, :3]
    assert torch.allclose(turns, once.cameras.camera_from_world[0, :, :3, :3], atol=1e-4)


@pytest.mark.parametrize("fps", [5.0, 8.0, 24.0, 29.97, 30.0])
def test_a_film_ends_with_the_motion_and_never_stands_still(make: Any, fps: float) -> None:
    once, shown = make().motion, make(output={"fps": fps}).motion
    last, step = (FRAMES - 1) / once.fps, 1 / fps
    assert (shown.num_frames - 1) * step <= last + 1e-9 < shown.num_frames * step + 1e-6
    moves = shown.rotations.diff(dim=0).abs().amax((1, 2, 3))
    assert float(moves.min()) > 1e-3
    # Repeated, a clip lasts as long as all of its frames, the last one, too.
    often = make(output={"fps": fps, "repeats": 2}).motion
    assert often.num_frames == 2 * round(FRAMES * fps / once.fps)


@pytest.mark.parametrize("ground", ["plain", "checkered"])
def test_the_horizon_of_a_film_is_level(make: Any, ground: str) -> None:
    # Wide enough for corners of the ground, which are farther away than its sides.
    place = {"views": ("0.4",), "elevation": 0.1, "distance": 12.0, "fov_y": 0.3}
    camera = {"path": "still", "size": (192, 960), **place}
    (batch,) = shoot(make("depth", camera=camera, render={"ground": ground}))
    seen = batch.data["depth"][0, 0].isfinite()
    horizon = seen.int().argmax(0)
    beside = torch.cat([horizon[:400], horizon[-400:]])  # the body is in the middle
    assert int(beside.max() - beside.min()) <= 1
    assert bool(seen[-1].all()) and 10 < int(beside.min())


def test_surroundings_are_drawn_once_for_the_whole_film(make: Any) -> None:
    plain, drawn = (
        make(render={"randomize": how}, camera={"path": "still"})
        for how in ("nothing", "everything")
    )
    (before,), (after,) = shoot(plain), shoot(drawn)
    assert float((before.video - after.video).abs().mean()) > 0.02
    sky = after.video[0, :, :, 0, 0]
    assert torch.equal(sky, sky[:1].expand_as(sky))


def test_one_view_of_cameras_that_move(make: Any) -> None:
    cameras = make(camera={"views": ("front", "back"), "path": "zoom"}).cameras
    part = one_view(cameras, 1, slice(2, 4))
    assert torch.equal(part.camera_from_world, cameras.camera_from_world[1, 2:4])
    assert torch.equal(torch.as_tensor(part.fov_y), torch.as_tensor(cameras.fov_y)[1, 2:4])


@pytest.mark.parametrize(
    ("views", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 2), (5, 2, 3), (8, 2, 4)]
)
def test_views_stand_side_by_side_in_reading_order(views: int, rows: int, columns: int) -> None:
    video = torch.arange(1.0, views + 1).view(views, 1, 1, 1, 1).expand(views, 2, 3, 4, 5)
    grid = side_by_side(video)
    assert grid.shape == (2, 3, 4 * rows, 5 * columns)
    order = grid[0, 0, ::4, ::5].flatten()
    assert order[:views].tolist() == list(range(1, views + 1))
    assert bool((order[views:] == 0).all())


def test_values_on_disk_are_those_of_the_film_with_what_they_mean(
    make: Any, tmp_path: Path
) -> None:
    whole = make("depth", camera={"views": ("front", "left")})
    paths = film_paths(tmp_path / "a.mp4", "depth")
    done: list[int] = []

    def report(step: int, *, count: int) -> None:
        assert count == step - sum(done[-1:])
        done.append(step)

    write_film(paths, dataclasses.replace(whole, batch=2), labels=True, report=report)
    assert done == [2, 4, 5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.png", "a_depth.npz"]
    (expected,) = shoot(whole)
    with np.load(tmp_path / "a_depth.npz") as file:
        assert np.allclose(file["depth"], expected.data["depth"].numpy(), atol=PLACE)
        assert file["views"].tolist() == ["front view", "left side view"]
        assert str(file["units"]) == "metres along the camera's axis"
        assert float(file["fps"]) == 8.0
        assert file["camera_from_world"].shape == (2, FRAMES, 4, 4)
        assert file["fov_y"].shape == (2, FRAMES)


def test_a_failure_half_way_leaves_nothing(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataclasses.replace(make("depth"), batch=1)

    def stopped(step: int, *, count: int) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paths = film_paths(tmp_path / "a.mp4", "depth")
        write_film(paths, whole, labels=True, report=stopped)
    assert not list(tmp_path.iterdir())
