"""`motiondistill export`, and its files wherever a motion file is named."""

import functools
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import trimesh
from walk_file import FPS, FRAMES, save, walk

from motiondistill import rotations
from motiondistill.body.anny import anny_body
from motiondistill.building import motion as build_motion
from motiondistill.building import objects
from motiondistill.building.motion import read_motion
from motiondistill.cli import main
from motiondistill.data.importers import read_folder
from motiondistill.data.importers.smpl_skeletons import SMPL
from motiondistill.formats.names import ExportFormat
from motiondistill.formats.rest_pose import on_skeleton
from motiondistill.structures import Motion

FORMATS = get_args(ExportFormat)
LOW = "body.resolution=low"
MOTIONS = {
    "bvh": ("run.bvh",),
    "glb": ("run.glb",),
    "amass": ("run_amass.npz", "run_smplh.npz"),
    "smplx": ("run_smplx.npz",),
    "humanml": ("run_humanml.npy",),
    "272": ("run_272.npy",),
    "joints": ("run_joints.npy",),
}
MESHES = {"obj": ("run.obj",), "ply": ("run.ply",)}
# Six decimals in the file, metres and radians.
EXACT = 1e-4


@functools.cache
def _anny_body(*arguments: Any) -> Any:
    return anny_body(*arguments)


@pytest.fixture(autouse=True)
def bodies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds each body once."""
    for module in (objects, build_motion):
        monkeypatch.setattr(module, "anny_body", _anny_body)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, and every format beside its motion."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    body = _anny_body("low")
    save(folder / "motion.npz", walk(body), body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "anny_body", _anny_body)
        assert main(["export", str(folder), "--to", ",".join(FORMATS), LOW]) == 0
    return folder


def test_every_format_is_written_beside_the_run(run: Path) -> None:
    wanted = {name for names in (MOTIONS | MESHES).values() for name in names}
    assert {path.name for path in run.iterdir()} == wanted | {"motion.npz"}
    assert set(MOTIONS | MESHES) == set(FORMATS)


@pytest.mark.parametrize("name", [name for names in MOTIONS.values() for name in names])
def test_every_motion_is_read_where_a_motion_file_is_named(name: str, run: Path) -> None:
    ours, read = walk(_anny_body("low")), read_motion("init.motion", run / name)
    assert read.body == "anny-low" and read.joints.shape == (read.motion.num_frames, 22, 3)
    seconds = (read.motion.num_frames - 1) / read.motion.fps
    # 263 features lack the last frame.
    assert abs(seconds - (FRAMES - 1) / FPS) < 0.11
    if name.endswith((".bvh", ".glb", "smplx.npz", "amass.npz", "smplh.npz")):
        step = (
            round(read.motion.fps / FPS) if name.endswith((".bvh", ".glb", "smplx.npz")) else None
        )
        found = (
            read.motion.frames(slice(None, None, step)) if step else read.motion.frames(slice(1))
        )
        wanted = ours if step else ours.frames(slice(1))
        assert rotations.geodesic(found.rotations, wanted.rotations).max() < EXACT
        assert (found.translation - wanted.translation).abs().max() < EXACT
    else:
        feet = read.joints[:, [10, 11], 1]
        assert -0.05 < float(feet.min()) < 0.06  # on the floor


def test_data_sets_take_every_file(run: Path) -> None:
    clips = read_folder(run)
    names = {Path(name).stem for names in MOTIONS.values() for name in names}
    names.add("a walk")  # the animation of the GLB, which has the prompt's name
    assert {clip.name for clip in clips} == names
    for clip in clips:
        thighs = (clip.joints[:, 1] - clip.joints[:, 4]).norm(dim=-1)
        assert 0.3 < float(thighs.mean()) < 0.5


def test_meshes_are_read_by_trimesh(run: Path, tmp_path: Path) -> None:
    body = _anny_body("low")
    wanted = body(walk(body)).vertices
    for name in ("run.obj", "run.ply"):
        mesh = trimesh.load(run / name, process=False, maintain_order=True)
        corners = np.asarray(mesh.vertices)[np.asarray(mesh.faces)]
        assert np.allclose(corners, wanted[0][body.faces].numpy(), atol=1e-5)
    line = ["export", str(run), "--to", "ply", "--out", str(tmp_path), LOW, "output.frame=3"]
    assert main(line) == 0
    mesh = trimesh.load(tmp_path / "run.ply", process=False)
    assert np.allclose(mesh.vertices, wanted[3].numpy(), atol=1e-6)


def test_skeletons_keep_the_hips_way_and_undo_each_other() -> None:
    """A bow moves the hips alike on bodies whose pelvis is at different heights above them."""
    own, other = _anny_body("low").rest_joints, SMPL.rest_joints()
    bow = rotations.from_axis_angle(torch.tensor([[0.0, 0, 0], [1.2, 0, 0]]))
    turns = torch.eye(3).repeat(2, 22, 1, 1)
    turns[:, 0] = bow
    hip = (own[1] + own[2]) / 2 - own[0]
    # Turned about the hips, which stay where they are.
    motion = Motion(turns, hip - (bow @ hip), 8.0)
    moved = on_skeleton(motion, own, other)
    other_hip = (other[1] + other[2]) / 2 - other[0]
    hips = other[0] + moved.translation + (bow @ other_hip)
    assert torch.allclose(hips[0], hips[1], atol=1e-6)
    assert torch.allclose(hips[0], (other[1] + other[2]) / 2, atol=1e-6)
    back = on_skeleton(moved, other, own)
    assert torch.allclose(back.translation, motion.translation, atol=1e-6)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--to", "fbx"], "`--to` must name formats among bvh"),
        (["--to", "bvh"], "exists; name another"),
        (["--to", "obj", "--out", "new", "output.frame=99"], "`output.frame` must be below"),
        (["--to", "bvh", "--out", "new", "output.unit=inch"], "`output.unit` must be one of"),
        (["more/motion.npz", "--to", "bvh"], "must be a motion file"),
    ],
)
def test_mistakes_are_told(
    line: list[str],
    message: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), *line, LOW]) == 2
    assert message in capsys.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_names_that_would_meet_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(run), str(run / "motion.npz")]
    assert main(["export", *files, "--to", "bvh", "--out", str(tmp_path)]) == 2
    assert f"different names in one folder, got two for {tmp_path / 'run.bvh'}" in (
        capsys.readouterr().err
    )
    # In folders of their own they do not meet.
    folders = [tmp_path / name / "run" for name in ("one", "other")]
    for folder in folders:
        folder.mkdir(parents=True)
        shutil.copy(run / "motion.npz", folder)
    assert main(["export", *map(str, folders), "--to", "bvh"]) == 0
    assert all((folder / "run.bvh").is_file() for folder in folders)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.bvh", "HIERARCHY", "MOTION is missing"),
        ("x.npy", "no array", "damaged data"),
        ("x.txt", "a story", "which is none of ours"),
        ("x.npz", "a story", "must hold a motion, got damaged data"),
        ("x.obj", "v 0 0 0", "which is none of ours"),
    ],
)
def test_broken_inputs_are_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"`init\.motion` must be .*{message}") as error:
        read_motion("init.motion", tmp_path / name)
    assert name in str(error.value)
