import dataclasses
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from glb_cases import posed, random_motion, with_heaviest

from motiondistill import rotations
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.base import Body
from motiondistill.body.rig import rig_of
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.smplx import smplx_body
from motiondistill.data.importers.gltf_file import GltfFile, parse_glb
from motiondistill.data.parametric import parametric_motion
from motiondistill.formats.glb import glb_bytes, write_glb
from motiondistill.randomness import seeded
from motiondistill.render.appearance import part_palette
from motiondistill.structures import HAND_NAMES, JOINT_NAMES, Mesh, Motion

# Metres: sums of single-precision products on a body of two metres.
TOLERANCE = 1e-5
FRAMES, FPS = 5, 16.0


def content(data: bytes) -> Any:
    """The JSON of a file."""
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length])


def attributes(file: GltfFile) -> dict[str, np.ndarray]:
    found = file.items("meshes")[0]["primitives"][0]["attributes"]
    return {name: file.numbers(index) for name, index in found.items()}


def apart(file: GltfFile, expected: torch.Tensor) -> float:
    """The largest distance of a vertex from where it should be, over all frames, metres."""
    gaps = [posed(file, frame) - vertices.numpy() for frame, vertices in enumerate(expected)]
    return float(np.linalg.norm(gaps, axis=-1).max())


@pytest.mark.parametrize("detailed", [False, True])
@pytest.mark.parametrize("resolution", ["low", pytest.param("full", marks=pytest.mark.slow)])
def test_the_file_moves_as_the_body(resolution: str, detailed: bool, low_body: SkinnedBody) -> None:
    body = low_body if resolution == "low" else anny_body("full")
    motion = random_motion(FRAMES, FPS, detailed)
    assert apart(parse_glb(glb_bytes(motion, body)), body(motion).vertices) < TOLERANCE


def test_a_body_without_fingers_has_the_22_bones(low_body: SkinnedBody) -> None:
    bare, motion = dataclasses.replace(low_body, detail=None), random_motion(FRAMES, FPS)
    file = parse_glb(glb_bytes(motion, bare))
    assert [node["name"] for node in file.items("nodes")] == [*JOINT_NAMES, "anny-low"]
    assert apart(file, bare(motion).vertices) < TOLERANCE


def test_smplx_comes_without_its_corrections(smplx_file: Path) -> None:
    body, motion = smplx_body(smplx_file), random_motion(FRAMES, FPS, detailed=True)
    rigid = dataclasses.replace(body, corrections=torch.zeros_like(body.corrections))
    file = parse_glb(glb_bytes(motion, body))
    assert apart(file, rigid(motion).vertices) < TOLERANCE
    assert apart(file, body(motion).vertices) > 100 * TOLERANCE


@pytest.mark.parametrize("most", [1, 2, 4, 5])
def test_the_heaviest_influences_stay(most: int, low_body: SkinnedBody) -> None:
    motion = random_motion(FRAMES, FPS, detailed=True)
    file = parse_glb(glb_bytes(motion, low_body, max_influences=most))
    found = attributes(file)
    assert ("WEIGHTS_1" in found) == (most > 4)
    weights = np.concatenate([found[name] for name in found if name.startswith("WEIGHTS")], 1)
    assert np.abs(weights.sum(1) - 1).max() < 1e-6
    assert (weights > 0).sum(1).max() == most and (np.diff(weights) <= 0).all()
    assert apart(file, with_heaviest(low_body, motion, most)) < TOLERANCE


def test_all_influences_are_kept_but_the_negligible(low_body: SkinnedBody) -> None:
    found = attributes(parse_glb(glb_bytes(random_motion(1, FPS), low_body)))
    kept = sum((found[name] > 0).sum(1) for name in found if name.startswith("WEIGHTS"))
    assert np.array_equal(kept, (rig_of(low_body).weights > 1e-6).sum(1))
    assert 4 < kept.max() <= 6


def test_four_influences_cost_what_is_said(low_body: SkinnedBody) -> None:
    """See the module's docstring, whose worst case is the full mesh's."""
    worst, mean = 0.0, 0.0
    for action in ("walk", "squat", "sit"):
        motion = parametric_motion(action, "left", seeded(3), low_body.rest_joints, 8.0, 16)
        gaps = low_body(motion).vertices - with_heaviest(low_body, motion, 4)
        worst = max(worst, float(gaps.norm(dim=-1).max()))
        mean = max(mean, float(gaps.norm(dim=-1).mean()))
    assert 2e-3 < worst < 6e-3 and mean < 2.5e-5


def test_the_bones_rest_in_the_t_pose(low_body: SkinnedBody) -> None:
    file = parse_glb(glb_bytes(random_motion(1, FPS), low_body))
    *nodes, mesh = file.items("nodes")
    assert [node["name"] for node in nodes] == [*JOINT_NAMES, "jaw", *HAND_NAMES]
    assert mesh["skin"] == 0 and not any("rotation" in node for node in nodes)
    rest = np.zeros((len(nodes), 3))
    for index, node in enumerate(nodes):
        rest[index] += node["translation"]
        for child in node.get("children", []):
            rest[child] += rest[index]
    assert np.abs(rest[:22] - low_body.rest_joints.numpy()).max() < TOLERANCE


def test_the_mesh_stands_on_the_floor_when_seen_alone(low_body: SkinnedBody) -> None:
    points = attributes(parse_glb(glb_bytes(random_motion(1, FPS), low_body)))["POSITION"]
    assert abs(points[:, 1].min()) < 0.01 and 1.5 < points[:, 1].max() < 1.9
    assert np.abs((points.min(0) + points.max(0))[0]) < 0.01


def test_normals_point_outwards_and_colours_are_the_looks(low_body: SkinnedBody) -> None:
    file = parse_glb(glb_bytes(random_motion(1, FPS), low_body))
    found = attributes(file)
    assert np.abs(np.linalg.norm(found["NORMAL"], axis=1) - 1).max() < 1e-5
    trunk = [JOINT_NAMES.index(name) for name in ("spine1", "spine2", "spine3")]
    chosen = np.isin(low_body.parts.numpy(), trunk)
    points = found["POSITION"][chosen]
    outwards = points - points.mean(0)
    assert ((outwards * found["NORMAL"][chosen])[:, [0, 2]].sum(1) > 0).mean() > 0.95
    linear = found["COLOR_0"]
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(srgb - part_palette()[low_body.parts].numpy()).max() < 1e-5
    grey = torch.full((23, 3), 0.5)
    painted = parse_glb(glb_bytes(random_motion(1, FPS), low_body, palette=grey))
    assert np.allclose(attributes(painted)["COLOR_0"], 0.2140411, atol=1e-6)


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 1.0, 0), (0.6, 0, -0.8)])
def test_neighbouring_quaternions_are_on_one_side(
    axis: tuple[float, float, float], low_body: SkinnedBody
) -> None:
    """Through several turns, where a quaternion with w >= 0 has to jump."""
    angles = torch.arange(40) * math.radians(37)
    turning = rotations.from_axis_angle(angles[:, None] * torch.tensor(axis))
    motion = random_motion(40, FPS)
    turns = torch.cat([turning[:, None], motion.rotations[:, 1:]], 1)
    motion = dataclasses.replace(motion, rotations=turns)
    file = parse_glb(glb_bytes(motion, low_body))
    (animation,) = file.items("animations")
    for channel in animation["channels"][1:]:
        sampler = animation["samplers"][channel["sampler"]]
        assert channel["target"]["path"] == "rotation" and sampler["interpolation"] == "LINEAR"
        values = file.numbers(sampler["output"])
        assert np.abs(np.linalg.norm(values, axis=1) - 1).max() < 1e-6
        assert ((values[1:] * values[:-1]).sum(1) >= 0).all()
    assert apart(file, low_body(motion).vertices) < TOLERANCE


@pytest.mark.parametrize(("detailed", "channels"), [(False, 22), (True, 53)])
def test_only_what_moves_has_keys(detailed: bool, channels: int, low_body: SkinnedBody) -> None:
    file = parse_glb(glb_bytes(random_motion(FRAMES, FPS, detailed), low_body))
    (animation,) = file.items("animations")
    targets = [channel["target"] for channel in animation["channels"]]
    assert targets[0] == {"node": 0, "path": "translation"} and len(targets) == 1 + channels
    times = file.numbers(animation["samplers"][0]["input"])
    assert np.array_equal(times, np.arange(FRAMES) / FPS)


@pytest.mark.parametrize("prompt", ["a person walks", "</script>\x00\"'\\ \U0001f600 \ud800", ""])
def test_the_file_says_where_it_comes_from(prompt: str, low_body: SkinnedBody) -> None:
    told = content(glb_bytes(random_motion(2, 7.5), low_body, prompt=prompt))
    asset = told["asset"]
    assert asset["version"] == "2.0" and asset["generator"].startswith("motiondistill ")
    release = asset["generator"].split()[1]
    expected = {"prompt": prompt, "fps": 7.5, "version": release, "body": "anny-low"}
    assert asset["extras"] == expected
    assert told["animations"][0]["name"] == (prompt or "motion")


def test_the_same_motion_is_the_same_file(low_body: SkinnedBody) -> None:
    first, second = (glb_bytes(random_motion(3, FPS), low_body) for _ in range(2))
    assert first == second and len(first) % 4 == 0
    precise = low_body.to(dtype=torch.float64)
    assert (
        apart(
            parse_glb(glb_bytes(random_motion(3, FPS), precise)),
            low_body(random_motion(3, FPS)).vertices,
        )
        < TOLERANCE
    )


def test_what_cannot_be_written_leaves_the_older_file(
    low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.glb"
    write_glb(path, random_motion(2, FPS), low_body)
    before = path.read_bytes()
    assert before == glb_bytes(random_motion(2, FPS), low_body)

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_glb(path, random_motion(3, FPS), low_body)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def _broken(**change: Any) -> Motion:
    return dataclasses.replace(random_motion(2, FPS, detailed=True), **change)


@pytest.mark.parametrize(
    ("motion", "said"),
    [
        (Motion.stack([random_motion(2, FPS)] * 2), "one clip .* shape .2, 2, 3.* one by one"),
        (random_motion(2, FPS).frames(slice(0)), "at least one frame"),
        (_broken(fps=0.0), "`motion.fps` must be positive, got 0.0"),
        (_broken(fps=math.inf), "`motion.fps` must be positive, got inf"),
        (_broken(translation=torch.full((2, 3), math.nan)), "`motion.translation` must be finite"),
        (_broken(jaw=torch.full((2, 3, 3), math.inf)), "`motion.jaw` must be finite"),
    ],
)
def test_broken_motions_are_refused(motion: Motion, said: str, low_body: SkinnedBody) -> None:
    with pytest.raises(ValueError, match=said):
        glb_bytes(motion, low_body)


class Balloon(Body):
    """A body without bones."""

    def __call__(self, motion: Motion) -> Mesh:
        raise NotImplementedError

    def to(self, *, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Body:
        raise NotImplementedError


def test_bodies_that_bones_do_not_move_are_refused(low_body: SkinnedBody) -> None:
    motion = random_motion(2, FPS, detailed=True)
    bare = dataclasses.replace(low_body, detail=None)
    with pytest.raises(ValueError, match="neither hands nor a jaw"):
        glb_bytes(motion, bare)
    with pytest.raises(ValueError, match=r"must know the mesh .* 'anny-low' does not"):
        glb_bytes(random_motion(2, FPS), dataclasses.replace(bare, joint_from_mesh=None))
    with pytest.raises(ValueError, match="moved by bones and weights, got Balloon; choose Anny"):
        glb_bytes(random_motion(2, FPS), Balloon())
    with pytest.raises(ValueError, match="`max_influences` must be at least 1, got 0"):
        glb_bytes(motion, low_body, max_influences=0)


def test_the_rig_has_the_mesh_that_was_skinned(low_body: SkinnedBody) -> None:
    """Anny's own identity pose, up to where it stands."""
    import anny

    model: Any = anny.Anny(topology="notoes_collapse10pc")
    half = torch.full((1,), 0.5, dtype=model.dtype)
    with torch.no_grad():
        own = model(phenotype_kwargs=dict.fromkeys(Phenotype.__dataclass_fields__, half))
    x, y, z = own["vertices"][0].double().unbind(-1)
    gaps = rig_of(low_body).vertices - torch.stack([x, z, -y], -1)
    assert (gaps - gaps.mean(0)).abs().max() < TOLERANCE
