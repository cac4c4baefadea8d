"""Our GLB comes back by our own reader, and nothing else is taken for ours."""

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from glb_cases import random_motion

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.smplx import smplx_body
from motiondistill.data.importers.folder import read_motion_capture
from motiondistill.data.importers.gltf import own_motion, read_gltf
from motiondistill.formats.glb import write_glb
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS, Motion

# Radians and metres: single-precision quaternions. Asked for are 1e-4 rad and a millimetre.
TURN, PLACE = 2e-6, 5e-6
FRAMES, FPS = 9, 12.5


def same(found: Motion, wanted: Motion) -> bool:
    turns = [rotations.geodesic(found.rotations, wanted.rotations)]
    for name in ("hands", "jaw"):
        given, asked = getattr(found, name), getattr(wanted, name)
        assert (given is None) == (asked is None), name
        if asked is not None:
            turns.append(rotations.geodesic(given, asked))
    assert found.fps == wanted.fps
    gap = (found.translation - wanted.translation).norm(dim=-1).max()
    return max(float(turn.max()) for turn in turns) < TURN and float(gap) < PLACE


@pytest.fixture(scope="module")
def bodies(low_body: SkinnedBody, smplx_file: Path) -> dict[str, Body]:
    return {
        "anny": low_body,
        "without fingers": dataclasses.replace(low_body, detail=None),
        "smplx": smplx_body(smplx_file),
        # Whose legs are shorter than any adult's: its metres are metres all the same.
        "a child": anny_body("low", Phenotype(age=0.2)),
    }


@pytest.mark.parametrize(
    ("name", "detailed"),
    [
        ("anny", False),
        ("anny", True),
        ("without fingers", False),
        ("smplx", True),
        ("a child", True),
    ],
)
def test_a_motion_comes_back(
    name: str, detailed: bool, bodies: dict[str, Body], tmp_path: Path
) -> None:
    body = bodies[name]
    for seed in range(3):
        motion = random_motion(FRAMES, FPS, detailed, seed)
        write_glb(tmp_path / "a.glb", motion, body, prompt="A person_walks")
        for fps in (FPS, None):
            (clip,) = read_gltf(tmp_path / "a.glb", fps=fps)
            assert clip.motion is not None and same(clip.motion, motion)
            assert (clip.joints - body(motion).joints).norm(dim=-1).max() < PLACE
            assert (clip.name, clip.label, clip.fps) == ("A person_walks", "a person walks", FPS)


def test_its_skeleton_comes_back(bodies: dict[str, Body], tmp_path: Path) -> None:
    """With the floor where it was, so that nobody needs to put feet on it."""
    motion = random_motion(FRAMES, FPS)
    for body in bodies.values():
        write_glb(tmp_path / "a.glb", motion, body)
        found = own_motion(tmp_path / "a.glb")
        assert found is not None and same(found[0], motion)
        assert (found[1] - body.rest_joints).abs().max() < PLACE
    changed(tmp_path / "a.glb", _rename)
    assert own_motion(tmp_path / "a.glb") is None
    (tmp_path / "a.glb").write_bytes(b"glTF")
    with pytest.raises(ValueError, match=r"a\.glb: a \.glb file begins with glTF"):
        own_motion(tmp_path / "a.glb")


def test_hands_at_rest_come_back_as_none(low_body: SkinnedBody, tmp_path: Path) -> None:
    motion = random_motion(FRAMES, FPS, detailed=True)
    still = dataclasses.replace(motion, hands=rotations.identity(FRAMES, 30))
    write_glb(tmp_path / "a.glb", still, low_body)
    (clip,) = read_gltf(tmp_path / "a.glb", fps=None)
    assert clip.motion is not None and clip.motion.jaw is not None
    assert same(clip.motion, dataclasses.replace(motion, hands=None))


def test_it_is_motion_capture_like_any_other(low_body: SkinnedBody, tmp_path: Path) -> None:
    """At the rate of all importers, with rotations on the way between ours."""
    motion = random_motion(FRAMES, 15.0)
    write_glb(tmp_path / "a.glb", motion, low_body)
    (clip,) = read_motion_capture(tmp_path / "a.glb")
    assert clip.motion is not None and clip.fps == clip.motion.fps == 30.0
    assert same(clip.motion.map(lambda tensor: tensor[::2]), dataclasses.replace(motion, fps=30.0))
    before, after = motion.rotations[:-1], motion.rotations[1:]
    whole, half = (
        rotations.geodesic(before, turned) for turned in (after, clip.motion.rotations[1::2])
    )
    assert (half - whole / 2).abs().max() < 1e-4


@pytest.mark.parametrize("fps", [8.0, 29.97, 30.0, 59.94, 120.0])
@pytest.mark.parametrize("frames", [2, 50, 401])
def test_the_rate_and_every_frame_come_back(
    fps: float, frames: int, low_body: SkinnedBody, tmp_path: Path
) -> None:
    still = Motion(rotations.identity(frames, NUM_JOINTS), torch.zeros(frames, 3), fps)
    write_glb(tmp_path / "a.glb", still, dataclasses.replace(low_body, detail=None))
    (clip,) = read_gltf(tmp_path / "a.glb", fps=None)
    assert (len(clip.joints), clip.fps) == (frames, fps)
    (again,) = read_gltf(tmp_path / "a.glb", fps=fps)
    assert len(again.joints) == frames


def test_uneven_keys_are_sampled(low_body: SkinnedBody, tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(4, 10.0), low_body)
    data = path.read_bytes()
    times = struct.pack("<4f", *torch.arange(4).div(10).tolist())
    assert data.count(times) == 1
    path.write_bytes(data.replace(times, struct.pack("<4f", 0.0, 0.1, 0.25, 0.3)))
    (clip,) = read_gltf(path, fps=None)
    assert clip.fps == 30.0 and len(clip.joints) == 10


def changed(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """The file with other nodes; a change of length is made up by spaces."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    content = json.loads(data[20 : 20 + length])
    change(content["nodes"])
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    header = struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
    path.write_bytes(header + struct.pack("<I4s", len(text), b"JSON") + text + rest)


def _droop(nodes: list[dict[str, Any]]) -> None:
    x, _, z = nodes[J["left_elbow"]]["translation"]
    nodes[J["left_elbow"]]["translation"] = [x, -0.02, z]


def _scale(nodes: list[dict[str, Any]]) -> None:
    nodes[J["left_knee"]]["scale"] = [1.01, 1.01, 1.01]


def _turn_above(nodes: list[dict[str, Any]]) -> None:
    nodes.append({"name": "Armature", "children": [0], "rotation": [0.0, 0.6, 0.0, 0.8]})


def _rename(nodes: list[dict[str, Any]]) -> None:
    nodes[J["spine2"]]["name"] = "chest"


def _rehang(nodes: list[dict[str, Any]]) -> None:
    """The collar on the spine below: the same names, another meaning of its rotation."""
    nodes[J["spine3"]]["children"].remove(J["left_collar"])
    nodes[J["spine2"]]["children"].append(J["left_collar"])


def _twist(nodes: list[dict[str, Any]]) -> None:
    """A bone that turns about the forearm: the wrist stays, but its rotation means another."""
    elbow = nodes[J["left_elbow"]]
    elbow["children"] = [len(nodes)]
    wrist = [J["left_wrist"]]
    nodes.append({"name": "twist", "children": wrist, "rotation": [0.6, 0.0, 0.0, 0.8]})


@pytest.mark.parametrize("change", [_droop, _scale, _turn_above, _rename, _rehang, _twist])
def test_other_skeletons_are_read_by_their_joints_alone(
    change: Callable[[list[dict[str, Any]]], None], low_body: SkinnedBody, tmp_path: Path
) -> None:
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(FRAMES, FPS), low_body)
    changed(path, lambda nodes: None)
    (clip,) = read_gltf(path)
    assert clip.motion is not None
    changed(path, change)
    (clip,) = read_gltf(path)
    assert clip.motion is None


def test_joints_that_leave_their_places_are_no_rotations(
    low_body: SkinnedBody, tmp_path: Path
) -> None:
    """A translation of the hip instead of the pelvis."""
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(FRAMES, FPS), low_body)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"node":0,"path":"tran', b'"node":1,"path":"tran'))
    assert path.read_bytes() != data
    (clip,) = read_gltf(path)
    assert clip.motion is None
