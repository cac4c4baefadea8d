"""`motiondistill render` end to end on a tiny motion: every kind and path."""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest
import torch
from walk_file import FPS, FRAMES, SMALL, save, walk

from motiondistill import config
from motiondistill.body.anny import anny_body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import objects
from motiondistill.building.motion import read_motion
from motiondistill.cli import INTERRUPTED, main
from motiondistill.commands.session import settings_for
from motiondistill.film.drawing import OutputSettings
from motiondistill.film.shots import ShotSettings
from motiondistill.schema.jobs import FilmConfig

KINDS = get_args(OutputSettings.__dataclass_fields__["kind"].type)
PATHS = get_args(ShotSettings.__dataclass_fields__["path"].type)


@pytest.fixture(autouse=True)
def bodies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds each body once."""
    monkeypatch.setattr(objects, "anny_body", _anny_body)


@functools.cache
def _anny_body(*arguments: Any) -> SkinnedBody:
    return anny_body(*arguments)


def pictures(path: Path) -> tuple[list[np.ndarray], float]:
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    width, height = meta["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    return frames, meta["fps"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_video_a_strip_and_values(
    kind: str, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "walk.mp4"
    arguments = ["render", str(run_folder), "--out", str(path), f"output.kind={kind}"]
    assert main([*arguments, *SMALL]) == 0
    frames, fps = pictures(path)
    assert (len(frames), fps, frames[0].shape) == (FRAMES, FPS, (256, 256, 3))
    assert imageio.v3.imread(path.with_suffix(".png")).shape == (128, FRAMES * 128, 3)
    written = capsys.readouterr().out.split()
    assert written[:2] == [str(path), str(path.with_suffix(".png"))]
    assert sorted(written) == sorted(str(each) for each in path.parent.iterdir())
    names = {
        "colours": set(),
        "motion_map": {"motion_map", "part_names"},
        "skeleton_map": {"skeleton_map"},
        "depth": {"depth", "units"},
        "parts": {"parts", "part_names"},
        "tracklets": {"pixels", "visible", "vertices", "units"},
    }[kind]
    assert len(written) == (3 if names else 2)
    if names:
        with np.load(path.with_name(f"walk_{kind}.npz"), allow_pickle=False) as file:
            assert set(file.files) == names | {"fps", "views", "camera_from_world", "fov_y"}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_moves_the_camera_or_leaves_it(
    path: str, run_folder: Path, tmp_path: Path
) -> None:
    # What stands still shows the camera's way alone.
    file = run_folder / "motion.npz"
    mine = tmp_path / "keys.yaml"
    mine.write_text(
        "camera: {path: key_frames, key_frames: [{time: 0, azimuth: 0.3}, "
        "{time: 0.5, elevation: 0.8, distance: 5}]}\n"
    )
    chosen = ["--config", str(mine)] if path == "key_frames" else [f"camera.path={path}"]
    out = tmp_path / "a.mp4"
    arguments = ["render", str(file), "--out", str(out), *chosen, "output.kind=depth"]
    assert main([*arguments, *SMALL, "render.ground=none"]) == 0
    with np.load(tmp_path / "a_depth.npz") as values:
        poses, fov_y = values["camera_from_world"], values["fov_y"]
    moves = not np.allclose(poses[:, 0], poses[:, -1])
    zooms = not np.allclose(fov_y[:, 0], fov_y[:, -1])
    assert (moves, zooms) == (path not in ("still", "zoom"), path == "zoom")


def test_the_subjects_left_is_on_the_right_seen_from_the_front(
    run_folder: Path, tmp_path: Path
) -> None:
    views = "camera.views=[front,back,0.0]"
    out = tmp_path / "a.mp4"
    arguments = ["render", str(run_folder), "--out", str(out), "output.kind=parts", views]
    assert main([*arguments, *SMALL]) == 0
    with np.load(tmp_path / "a_parts.npz") as file:
        names, parts = file["part_names"].tolist(), file["parts"]
        assert file["views"].tolist() == ["front view", "back view", "0 rad"]
    place = {}
    for name in ("left_hip", "right_hip", "head", "left_ankle"):
        _, rows, columns = (parts[0] == names.index(name)).nonzero()
        place[name] = rows.mean(), columns.mean()
    assert place["right_hip"][1] < 32 < place["left_hip"][1]
    assert place["head"][0] < place["left_hip"][0] < place["left_ankle"][0]  # upright
    _, _, behind = (parts[1] == names.index("left_hip")).nonzero()
    assert behind.mean() < 32
    assert np.array_equal(parts[0], parts[2])
    frames, _ = pictures(out)
    assert frames[0].shape == (256, 3 * 256, 3)


def test_a_grid_of_named_views_and_its_labels(run_folder: Path, tmp_path: Path) -> None:
    for name, labels in (("a", "true"), ("b", "false")):
        arguments = ["render", str(run_folder), "--out", str(tmp_path / f"{name}.mp4")]
        views = "camera.views=[front,left,back,right]"
        assert main([*arguments, *SMALL, views, f"output.labels={labels}"]) == 0
    shown = [imageio.v3.imread(tmp_path / f"{name}.png").astype(int) for name in "ab"]
    assert shown[0].shape == (4 * 128, FRAMES * 128, 3)
    differ = np.abs(shown[0] - shown[1]).max(-1) > 30
    for view in range(4):
        corner = differ[128 * view : 128 * view + 40, :128]
        assert corner.any()
    assert not differ[60:128].any()
    assert pictures(tmp_path / "a.mp4")[0][0].shape == (256, 256, 3)


def test_smooth_playback_and_repeats(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    arguments = ["render", str(run_folder), "--out", str(out), *SMALL]
    assert main([*arguments, "output.fps=24", "output.repeats=2"]) == 0
    frames, fps = pictures(out)
    assert (len(frames), fps) == (2 * 3 * FRAMES, 24.0)


def chosen(file: Path, *overrides: str, name: str | None = None) -> Any:
    return settings_for(FilmConfig, read_motion("FILE", file), name, list(overrides)).body


def test_the_body_is_the_recorded_one_unless_another_is_named(
    run_folder: Path, low_body: SkinnedBody, tmp_path: Path
) -> None:
    motion = walk(low_body)
    file = tmp_path / "a.npz"
    shape = torch.tensor([0.1, 0.3, 0.9, 0.7, 0.5, 0.2])
    save(file, motion, low_body, body="anny-full", shape=shape)
    body = chosen(file, "body.weight=0.25")
    assert (body.name, body.resolution) == ("anny", "full")  # full is the default here
    assert (body.gender, body.age, body.height) == (0.1, 0.3, 0.9)
    assert (body.weight, body.muscle, body.proportions) == (0.25, 0.5, 0.2)
    assert chosen(file, "body.name=anny").age == 0.5
    save(file, motion, low_body, body="smplx-neutral", shape=torch.tensor([0.5, -1.25]))
    body = chosen(file)
    assert (body.name, body.betas, body.expression) == ("smplx", (0.5, -1.25), ())
    save(file, motion, low_body, body="smplx-neutral", expression=torch.tensor([0.0, 2.5]))
    assert chosen(file).expression == (0.0, 2.5)
    assert chosen(file, "body.name=anny").betas == ()
    mine = tmp_path / "mine.yaml"
    mine.write_text("body: {name: anny}\n")
    assert chosen(file, name=str(mine)).name == "anny"
    save(file, motion, low_body, body="robot")
    with pytest.raises(ValueError, match=r"`body\.name` must be given .* body 'robot'"):
        chosen(file)
    assert chosen(file, "body.name=anny").name == "anny"


def test_a_motion_of_smplx_is_drawn_on_it(
    low_body: SkinnedBody,
    smplx_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    motion = walk(low_body)
    file = tmp_path / "a.npz"
    save(file, motion, low_body, body="smplx-neutral", shape=torch.tensor([0.5]))
    monkeypatch.setenv("SMPLX_DIR", str(smplx_file.parent))
    arguments = ["render", str(file), "--out", str(tmp_path / "a.mp4"), "run.threads=1"]
    assert main([*arguments, "camera.size=[64,64]", "output.kind=parts"]) == 0
    with np.load(tmp_path / "a_parts.npz") as values:
        assert len(np.unique(values["parts"])) > 10


@pytest.mark.slow
def test_ctrl_c_leaves_no_half_written_file(run_folder: Path, tmp_path: Path) -> None:
    script = """
import os, signal, sys
from motiondistill import cli
from motiondistill.building import film as build_film
from motiondistill.film import pictures
drawn = pictures.Drawn
def count(*arguments):
    count.done += 1
    if count.done == 3:
        os.kill(os.getpid(), signal.SIGINT)
    return drawn(*arguments)
count.done = 0
pictures.Drawn = count
build_film._BATCH_PIXELS = 1
sys.exit(cli.main(sys.argv[1:]))
"""
    arguments = ["render", str(run_folder), "--out", str(tmp_path / "a.mp4"), "output.kind=depth"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, *SMALL], capture_output=True, text=True
    )
    assert done.returncode == INTERRUPTED, done.stderr
    assert done.stderr.splitlines()[-1] == "motiondistill: interrupted"
    assert "frame 2/5" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", config.shipped("render"))
def test_shipped_examples_can_be_drawn(name: str, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    assert main(["render", str(run_folder), "--config", name, "--out", str(out), *SMALL]) == 0
    assert out.stat().st_size > 0


def test_the_configuration_is_printed_explained_and_read_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["config", "render", "--config", "crane"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "mine.yaml").write_text(printed)
    assert main(["config", "render", "--config", str(tmp_path / "mine.yaml")]) == 0
    assert capsys.readouterr().out == printed
    assert "path: key_frames" in printed and "elevation: 0.45" in printed
    assert "resolution: full" in printed and "supersampling: 2" in printed
    assert main(["config", "render", "--schema"]) == 0
    schema = capsys.readouterr().out
    for words in ("class CameraKey", "class ShotSettings", "class FilmConfig", "Seconds from"):
        assert words in schema
