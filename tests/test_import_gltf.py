import base64
import json
import math
import struct
from pathlib import Path
from typing import Any

import captures
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motiondistill.data.importers.gltf import animations, read_gltf, sampled
from motiondistill.data.importers.gltf_file import load_glb, parse_glb
from motiondistill.structures import JOINT_INDEX as J

# Positions and quaternions are stored in single precision, on metre-sized chains.
TOLERANCE = 1e-5
# Quaternions in 16 bits err by half a step of 1/32767.
INTEGER_TOLERANCE = 1e-3
FRAMES, FPS = 7, 10.0
TIMES = np.arange(FRAMES) / FPS


def known() -> tuple[np.ndarray, np.ndarray]:
    """Local rotations and roots of seven frames."""
    angles = captures.random_angles(FRAMES)
    turns = np.array(
        [[captures.about(2, z) @ captures.about(0, x) for x, _, z in f] for f in angles]
    )
    return turns, np.array([[0.1 * k, 0.9, 0.3 * k] for k in range(FRAMES)])


def content(interpolation: str = "LINEAR", **animation: Any) -> dict[str, Any]:
    """The JSON of the known motion; accessor 0 has the times, 1 the roots, 2 on the rotations."""
    count = len(captures.SKELETON)
    nodes = [
        {
            "name": f"mixamorig:{name}",
            "translation": list(captures.SKELETON[k][2]),
            "children": [c for c, parent in enumerate(captures.PARENTS) if parent == k],
        }
        for k, name in enumerate(captures.NAMES)
    ]
    samplers = [
        {"input": 0, "output": k + 1, "interpolation": interpolation} for k in range(count + 1)
    ]
    targets = [{"node": 0, "path": "translation"}]
    targets += [{"node": k, "path": "rotation"} for k in range(count)]
    channels = [{"sampler": k, "target": target} for k, target in enumerate(targets)]
    moves = {"name": "Jump_Around", "samplers": samplers, "channels": channels}
    return {"nodes": nodes, "animations": [moves | animation]}


def rotations_of(turns: np.ndarray) -> list[np.ndarray]:
    quaternions = np.array([[captures.quaternion(m) for m in frame] for frame in turns])
    # Neither sign nor the longer arc may matter.
    quaternions[::2] *= -1
    return list(quaternions.transpose(1, 0, 2))


def write(path: Path, data: dict[str, Any], arrays: list[np.ndarray], dtype: str = "<f4") -> Path:
    path.write_bytes(captures.glb(data, arrays, dtype))
    return path


@pytest.mark.parametrize(("dtype", "tolerance"), [("<f4", TOLERANCE), ("<i2", INTEGER_TOLERANCE)])
def test_a_known_motion_is_read(tmp_path: Path, dtype: str, tolerance: float) -> None:
    turns, roots = known()
    arrays = [TIMES, roots, *rotations_of(turns)]
    path = write(tmp_path / "clip.glb", content(), arrays, dtype)
    (clip,) = read_gltf(path, fps=FPS)
    assert (clip.name, clip.label, clip.fps) == ("Jump_Around", "jump around", FPS)
    expected = torch.from_numpy(captures.positions(turns, roots))
    joints = clip.joints[:, [J[name] for name, *_ in captures.SKELETON]]
    assert (joints - expected).abs().max() < tolerance


def test_scaled_and_turned_armatures_carry_their_bones(tmp_path: Path) -> None:
    """Blender's exports: centimetres and +Z up inside, a node above that puts it right."""
    turns, roots = known()
    data = content()
    above = np.eye(4)
    above[:3, :3] = 0.01 * captures.about(0, -math.pi / 2)
    data["nodes"].append(
        {"name": "Armature", "children": [0], "matrix": above.T.flatten().tolist()}
    )
    for node in data["nodes"][1:-1]:
        node["translation"] = [100 * x for x in node["translation"]]
    # The pelvis is the only joint that is turned against the file's axes.
    back = captures.about(0, math.pi / 2)
    turns_inside = turns.copy()
    turns_inside[:, 0] = back @ turns[:, 0]
    arrays = [TIMES, 100 * roots @ back.T, *rotations_of(turns_inside)]
    (clip,) = read_gltf(write(tmp_path / "clip.glb", data, arrays), fps=FPS)
    expected = torch.from_numpy(captures.positions(turns, roots))
    joints = clip.joints[:, [J[name] for name, *_ in captures.SKELETON]]
    assert (joints - expected).abs().max() < TOLERANCE


def test_rotations_go_half_the_way_in_half_the_time() -> None:
    start, end = captures.about(1, -0.7), captures.about(1, 0.9)
    keys = np.array([captures.quaternion(start), -captures.quaternion(end)])
    middle = sampled(np.array([0.0, 2.0]), keys, "LINEAR", np.array([0.5, 1.0, 5.0]))
    for row, angle in zip(middle, (-0.3, 0.1, 0.9), strict=True):
        exact = captures.quaternion(captures.about(1, angle))
        assert abs(abs(row @ exact) - 1) < 1e-12


def test_steps_hold_their_value() -> None:
    keys = np.array([[1.0, 2, 3], [4, 5, 6]])
    found = sampled(np.array([0.5, 1.0]), keys, "STEP", np.array([0.0, 0.99, 1.0, 2.0]))
    assert found[:, 0].tolist() == [1.0, 1.0, 4.0, 4.0]


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(0.1, 4))
def test_cubic_splines_are_exact_on_cubics(coefficients: list[float], span: float) -> None:
    curve = np.polynomial.Polynomial(coefficients)
    slope = curve.deriv()
    times = np.array([0.0, span])
    keys = np.array([[f(t)] * 3 for t in times for f in (slope, curve, slope)])
    wanted = np.linspace(0, span, 9)
    found = sampled(times, keys, "CUBICSPLINE", wanted)
    assert np.allclose(found[:, 1], curve(wanted), atol=1e-9 * (1 + np.abs(found).max()))


def test_every_animation_is_a_clip_of_one_skeleton(tmp_path: Path) -> None:
    turns, roots = known()
    data = content()
    data["animations"].append(data["animations"][0] | {"name": "Again"})
    clips = read_gltf(write(tmp_path / "c.glb", data, [TIMES, roots, *rotations_of(turns)]))
    assert [clip.name for clip in clips] == ["Jump_Around", "Again"]
    assert clips[0].source == clips[1].source
    assert len(clips[0].joints) == int(TIMES[-1] * 30) + 1


def test_buffers_may_be_data_in_the_json() -> None:
    turns, roots = known()
    data = captures.glb(content(), [TIMES, roots, *rotations_of(turns)])
    plain = parse_glb(data)
    (length,) = struct.unpack_from("<I", data, 12)
    text = json.loads(data[20 : 20 + length])
    encoded = base64.b64encode(plain.buffers[0]).decode()
    text["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{encoded}"
    body = json.dumps(text).encode()
    header = struct.pack("<4sII", b"glTF", 2, 20 + len(body)) + struct.pack(
        "<I4s", len(body), b"JSON"
    )
    assert parse_glb(header + body).buffers == plain.buffers


def test_strides_are_kept() -> None:
    data = captures.glb({"nodes": [], "animations": []}, [np.arange(12.0).reshape(4, 3)])
    file = parse_glb(data)
    file.lists["accessors"][0] |= {"count": 2, "byteOffset": 4, "type": "SCALAR"}
    file.lists["bufferViews"][0]["byteStride"] = 24
    assert file.numbers(0).tolist() == [1.0, 7.0]


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_file_that_is_cut_short_is_refused(share: float, tmp_path_factory: Any) -> None:
    turns, roots = known()
    data = captures.glb(content(), [TIMES, roots, *rotations_of(turns)])
    path = tmp_path_factory.mktemp("glb") / "short.glb"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"short\.glb"):
        read_gltf(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(animations=[]), "animations"),
        (lambda d: d["animations"][0]["samplers"][1].update(interpolation="CURVED"), "CURVED"),
        (lambda d: d["animations"][0]["samplers"][1].update(output=1), "rotation"),
        (lambda d: d["animations"][0]["samplers"][1].update(output=999), "accessors"),
        (lambda d: d["animations"][0]["channels"][1]["target"].pop("path"), "path"),
        (lambda d: d["nodes"][3].update(children=[1]), "trees"),
        (lambda d: d["nodes"][1].update(name="Thing"), "left_hip"),
        (lambda d: d.update(accessors=[{"sparse": {}}]), "sparse"),
        (lambda d: d.update(buffers=[{"uri": "clip.bin"}]), "one binary file"),
    ],
)
def test_what_is_amiss_is_named(change: Any, message: str, tmp_path: Path) -> None:
    turns, roots = known()
    data = content()
    change(data)
    path = write(tmp_path / "bad.glb", data, [TIMES, roots, *rotations_of(turns)])
    with pytest.raises(ValueError, match=message) as error:
        read_gltf(path)
    assert "bad.glb" in str(error.value)


def test_nodes_may_come_in_any_order() -> None:
    turns, roots = known()
    arrays = [TIMES, roots, *rotations_of(turns)]
    data, count = content(), len(captures.SKELETON)
    data["nodes"] = [
        node | {"children": [count - 1 - child for child in node["children"]]}
        for node in reversed(data["nodes"])
    ]
    for channel in data["animations"][0]["channels"]:
        channel["target"]["node"] = count - 1 - channel["target"]["node"]
    ((_, skeleton),) = animations(parse_glb(captures.glb(data, arrays)), FPS)
    expected = captures.positions(turns, roots)
    for joint, name in enumerate(captures.NAMES):
        found = skeleton.positions[:, skeleton.names.index(f"mixamorig:{name}")].numpy()
        assert np.abs(found - expected[:, joint]).max() < TOLERANCE


def test_other_files_are_no_gltf(tmp_path: Path) -> None:
    path = tmp_path / "model.glb"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match="begins with glTF"):
        load_glb(path)
