import io
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.data.bvh import JOINT_MAPS, parse_bvh, read_bvh, to_joints
from motiondistill.structures import JOINT_INDEX as J

# Float32 sines of degrees on metre-sized chains.
TOLERANCE = 1e-5
# The archive's positions are float32 metres of a BVH in centimetres with six decimals.
ARCHIVE_TOLERANCE = 1e-4

ARM = """HIERARCHY
ROOT Shoulder
{
  OFFSET 5 5 5
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Elbow
  {
    OFFSET 2 0 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 1 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.025
0 0 0 0 0 0 0 0 0
1 2 3 90 90 0 0 90 0
"""


def test_forward_kinematics_by_hand() -> None:
    clip = parse_bvh(ARM)
    assert clip.names == ("Shoulder", "Elbow", "Elbow_end")
    assert clip.parents == (-1, 0, 1)
    assert clip.fps == pytest.approx(40.0)
    # Position channels replace the root's offset.
    assert torch.allclose(clip.positions[0], torch.tensor([[0.0, 0, 0], [2, 0, 0], [2, 1, 0]]))
    # Frame 1: the shoulder is Rz(90) Rx(90), which takes x to y, y to z and z to x; the elbow adds
    # Rz(90), which takes y to -x. So the upper arm points to y, and the forearm to -(x taken by the
    # shoulder) = -y.
    expected = torch.tensor([[1.0, 2, 3], [1, 4, 3], [1, 3, 3]])
    assert torch.allclose(clip.positions[1], expected, atol=TOLERANCE)
    z_by_shoulder = clip.rotations[1, 0] @ torch.tensor([0.0, 0, 1])
    assert torch.allclose(z_by_shoulder, torch.tensor([1.0, 0, 0]), atol=TOLERANCE)


def test_the_order_of_channels_is_the_order_of_rotations() -> None:
    swapped = ARM.replace("Zrotation Xrotation Yrotation", "Xrotation Zrotation Yrotation")
    upper_arm = parse_bvh(swapped).positions[1]
    # Rx(90) Rz(90) takes x to z.
    assert torch.allclose(upper_arm[1] - upper_arm[0], torch.tensor([0.0, 0, 2]), atol=TOLERANCE)


def test_any_joint_may_have_position_channels() -> None:
    text = ARM.replace("CHANNELS 3 Yrotation", "CHANNELS 4 Xposition Yrotation")
    text = text.replace("0 0 0 0 0 0 0 0 0", "0 0 0 0 0 0 7 0 0 0")
    text = text.replace("90 90 0 0 90 0", "90 90 0 4 0 90 0")
    clip = parse_bvh(text)
    assert torch.allclose(clip.positions[0, 1], torch.tensor([7.0, 0, 0]))
    assert torch.allclose(clip.positions[1, 1], torch.tensor([1.0, 6, 3]), atol=TOLERANCE)


def test_scale_and_z_up() -> None:
    plain, turned = parse_bvh(ARM), parse_bvh(ARM, scale=0.01, z_up=True)
    x, y, z = plain.positions.unbind(-1)
    assert torch.allclose(turned.positions, 0.01 * torch.stack([x, z, -y], -1), atol=TOLERANCE)
    # The world rotations turn along: rotated rest offsets still give the bones.
    bone = turned.rotations[1, 0] @ torch.tensor([0.02, 0, 0])
    assert torch.allclose(turned.positions[1, 1] - turned.positions[1, 0], bone, atol=TOLERANCE)
    assert turned.rotations.det().allclose(torch.ones(2, 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HIERARCHY\nROOT A", "MOTION is missing"),
        (ARM.replace("Frames: 2", "Frames: 3"), "3 frames of 9 channels"),
        (ARM.replace("0.025", "0"), "positive frame time"),
        (ARM.replace("  JOINT", "  BONE"), "'BONE'"),
    ],
)
def test_broken_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_bvh(path)
    assert "broken.bvh" in str(error.value)


@pytest.mark.parametrize("family", range(len(JOINT_MAPS)))
def test_each_family_of_names_finds_its_joints(family: int) -> None:
    mapping = {
        ours: theirs for ours, theirs in JOINT_MAPS[family].items() if not theirs.endswith("_end")
    }
    # A star: every joint hangs from the root, one metre further along x than the last.
    names = [name for name in dict.fromkeys(mapping.values()) if name != mapping["pelvis"]]
    limbs = "".join(
        f"JOINT {name} {{ OFFSET {x} 0 0 CHANNELS 0 }}\n" for x, name in enumerate(names, start=1)
    )
    text = f"HIERARCHY ROOT {mapping['pelvis']} {{ OFFSET 0 0 0 CHANNELS 0\n{limbs} }}\n"
    joints = to_joints(parse_bvh(text + "MOTION\nFrames: 1\nFrame Time: 0.1\n"))
    for ours, theirs in mapping.items():
        expected = 0 if ours == "pelvis" else names.index(theirs) + 1
        assert joints[0, J[ours], 0] == expected
    spine = joints[0, [J["spine1"], J["spine2"], J["spine3"]], 0]
    assert not spine.isnan().any()
    if "spine2" not in mapping:
        assert spine[1] == (spine[0] + spine[2]) / 2


@given(cut=st.integers(0, len(ARM.split()) - 1))
def test_a_file_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"MOTION|brace|ends"):
        parse_bvh(" ".join(ARM.split()[:cut]))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="Shoulder, Elbow"):
        to_joints(parse_bvh(ARM))


@pytest.mark.skipif(
    "MOTIONDISTILL_MOCAP" not in os.environ, reason="MOTIONDISTILL_MOCAP is not set"
)
def test_the_reader_agrees_with_the_archive_of_joints() -> None:
    folder = Path(os.environ["MOTIONDISTILL_MOCAP"])
    with zipfile.ZipFile(folder / "cmu_daz_bvh" / "cmu_daz_bvh_01-14.zip") as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith("07_01.bvh"))
        text = io.TextIOWrapper(archive.open(name)).read()
    joints = to_joints(parse_bvh(text, scale=0.01))
    expected = torch.from_numpy(np.load(folder / "joints22" / "cmu_j22.npz")["07_01"])
    # The archive drops ten frames and keeps every fourth; the subject was scaled by a few per cent.
    mine = joints[10::4][: len(expected)]
    scale = float((expected[0, J["left_knee"]] - expected[0, J["left_hip"]]).norm()) / float(
        (mine[0, J["left_knee"]] - mine[0, J["left_hip"]]).norm()
    )
    assert math.isclose(scale, 1.0, abs_tol=0.05)
    assert torch.allclose(scale * mine, expected[: len(mine)], atol=ARCHIVE_TOLERANCE)
