import itertools
import math
from pathlib import Path

import captures
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motiondistill.data.importers.bvh import parse_bvh, read_bvh, read_bvh_files
from motiondistill.data.importers.joint_names import find_limbs, to_joints
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import JOINT_NAMES

# Degrees are written with nine digits; positions are float32 of metre-sized chains.
TOLERANCE = 1e-5

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


@given(cut=st.integers(0, len(ARM.split()) - 1))
def test_a_file_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"MOTION|brace|ends"):
        parse_bvh(" ".join(ARM.split()[:cut]))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Shoulder, Elbow.*LIMB_NAMES"):
        to_joints(parse_bvh(ARM))


ORDERS = [*itertools.permutations(range(3)), (0, 1, 0), (2, 0, 2)]


@settings(max_examples=15, deadline=None)
@given(
    orders=st.lists(
        st.sampled_from(ORDERS), min_size=len(captures.SKELETON), max_size=len(captures.SKELETON)
    ),
    z_up=st.booleans(),
    unit=st.sampled_from([1.0, 0.01, 0.0254, 0.0254 / 0.45, 0.001]),
    seed=st.integers(0, 99),
)
def test_any_order_axis_and_unit_is_read(
    orders: list[tuple[int, ...]],
    z_up: bool,
    unit: float,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    angles = captures.random_angles(5, seed)
    roots = np.array([[0.1 * k, 0.9, 0.2 * k] for k in range(5)])
    axes = captures.Z_UP if z_up else np.eye(3)
    turns = np.stack(
        [
            [
                np.linalg.multi_dot([captures.about(k, a) for k, a in zip(order, row, strict=True)])
                for order, row in zip(orders, frame, strict=True)
            ]
            for frame in angles
        ]
    )
    # The file's own axes: offsets and the root in them, and rotations about them.
    offsets = hanging_arms() @ axes.T / unit
    placed = captures.positions(turns, roots @ axes.T / unit, offsets)
    text = captures.bvh(angles, roots @ axes.T / unit, orders, offsets=offsets)
    path = tmp_path_factory.mktemp("bvh") / "clip.bvh"
    path.write_text(text)
    (clip,) = read_bvh(path)
    expected = torch.from_numpy(unit * placed @ axes)
    joints = clip.joints[:, [J[name] for name, *_ in captures.SKELETON]].double()
    assert (joints - expected).abs().max() < TOLERANCE
    assert clip.fps == 30.0


def test_axis_and_unit_may_be_told(tmp_path: Path) -> None:
    path = tmp_path / "clip.bvh"
    path.write_text(still())
    (guessed,), (told,) = read_bvh(path), read_bvh(path, up="z", unit=2.0)
    x, y, z = guessed.joints.unbind(-1)
    assert torch.allclose(told.joints, 2 * torch.stack([x, z, -y], -1), atol=TOLERANCE)


def test_who_lies_on_the_floor_is_not_turned_upright(tmp_path: Path) -> None:
    """Files of one skeleton share their axis; by itself, somebody who lies has his own."""
    lying = np.zeros((5, len(captures.SKELETON), 3))
    lying[:, 0, 0] = math.pi / 2
    orders = [(0, 1, 2)] * len(captures.SKELETON)
    (tmp_path / "lie.bvh").write_text(captures.bvh(lying, np.zeros((5, 3)), orders))
    (tmp_path / "stand.bvh").write_text(still())
    (alone,) = read_bvh(tmp_path / "lie.bvh")
    both = read_bvh_files(sorted(tmp_path.glob("*.bvh")))
    assert both[0].source == both[1].source
    trunk = [clip.joints[0, J["neck"]] - clip.joints[0, J["pelvis"]] for clip in (alone, *both)]
    assert trunk[0][1] > 0.5  # this is what one file alone looks like
    assert trunk[1][1].abs() < TOLERANCE
    assert trunk[2][1] > 0.5


@pytest.mark.parametrize("fps", [30, 120])
def test_a_t_pose_before_the_motion_is_left_out(fps: int, tmp_path: Path) -> None:
    angles = np.zeros((fps, len(captures.SKELETON), 3))
    hanging = [k for k, (name, *_) in enumerate(captures.SKELETON) if name.endswith("shoulder")]
    angles[1:, hanging[0], 2], angles[1:, hanging[1], 2] = -1.2, 1.2
    roots = np.tile([0.0, 0.9, 0.0], (fps, 1))
    orders = [(0, 1, 2)] * len(captures.SKELETON)
    path = tmp_path / "clip.bvh"
    path.write_text(captures.bvh(angles, roots, orders, frame_time=1 / fps))
    (clip,) = read_bvh(path)
    assert len(clip.joints) == fps - math.ceil(fps / 12)
    assert (clip.joints[0] - clip.joints[-1]).abs().max() < TOLERANCE
    # Whoever stays in the T-pose means it.
    path.write_text(captures.bvh(0 * angles, roots, orders, frame_time=1 / fps))
    assert len(read_bvh(path)[0].joints) == fps


def hanging_arms() -> np.ndarray:
    """Offsets of a rest pose that is no T-pose."""
    offsets = captures.OFFSETS.copy()
    for joint, (name, *_) in enumerate(captures.SKELETON):
        if name.endswith(("elbow", "wrist")):
            offsets[joint] = [0.0, -abs(offsets[joint, 0]), 0.02]
    return offsets


def still() -> str:
    """Five frames at rest."""
    angles = np.zeros((5, len(captures.SKELETON), 3))
    return captures.bvh(
        angles, np.tile([0.0, 0.9, 0.0], (5, 1)), [(0, 1, 2)] * len(captures.SKELETON)
    )


# Hip, knee, ankle, toe, shoulder, elbow, wrist of the left side, and the head.
STYLES = {
    "daz": "lThigh lShin lFoot lFoot_end lShldr lForeArm lHand head",
    "mixamo": "mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftToeBase "
    "mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:Head",
    "lafan": "LeftUpLeg LeftLeg LeftFoot LeftToe LeftArm LeftForeArm LeftHand Head",
    "rokoko": "LeftThigh LeftShin LeftFoot LeftToe LeftArm LeftForeArm LeftHand Head",
    "truebones": "LeftHip LeftKnee LeftAnkle LeftToe LeftShoulder LeftElbow LeftWrist Head",
    "smpl": "L_Hip L_Knee L_Ankle L_Foot L_Shoulder L_Elbow L_Wrist Head",
    "biped": "Bip01 L Thigh,Bip01 L Calf,Bip01 L Foot,Bip01 L Toe0,Bip01 L UpperArm,"
    "Bip01 L Forearm,Bip01 L Hand,Bip01 Head",
    "unreal": "thigh_l calf_l foot_l ball_l upperarm_l lowerarm_l hand_l head",
    "rigify": "DEF-thigh.L DEF-shin.L DEF-foot.L DEF-toe.L DEF-upper_arm.L DEF-forearm.L "
    "DEF-hand.L DEF-head",
    "amp": "left_thigh left_shin left_foot left_toe left_upper_arm left_lower_arm left_hand head",
}
PARTS = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")


@pytest.mark.parametrize("style", STYLES)
def test_each_style_of_names_finds_its_joints(style: str) -> None:
    *left, head = STYLES[style].split("," if "," in STYLES[style] else None)
    swaps = {"Left": "Right", "left": "right", "L_": "R_", " L ": " R ", "_l": "_r", ".L": ".R"}
    mark = next((mark for mark in swaps if mark in left[0]), None)
    right = [n.replace(mark, swaps[mark]) if mark else f"r{n[1:]}" for n in left]
    # Names that other families would use for other joints are in the way.
    clutter = ["Hips", "LeftShoulder", "RightShoulder"] if style in ("mixamo", "lafan") else []
    names = [*clutter, *right, head, *left]
    limbs = find_limbs(names)
    expected = {f"left_{part}": name for part, name in zip(PARTS, left, strict=True)}
    expected |= {f"right_{part}": name for part, name in zip(PARTS, right, strict=True)}
    assert {ours: names[node] for ours, node in limbs.items()} == expected | {"head": head}


def hierarchy(spine: int, *, collar: float = 0.05) -> str:
    """A still figure with this many spine joints a tenth of a metre apart."""
    bone = "JOINT {s}{%s} {{ OFFSET %s "
    limbs = bone % ("a", "{x} 0 0") + bone % ("b", "0 -1 0") + bone % ("c", "0 -1 0") + "}} }} }}\n"
    legs = "".join(
        limbs.format(s=s, x=x, a="UpLeg", b="Leg", c="Foot")
        for s, x in (("Left", 1), ("Right", -1))
    )
    arms = "".join(
        f"JOINT {s}Collar {{ OFFSET {k * collar} {collar} 0\n"
        + limbs.format(s=s, x=k, a="Arm", b="ForeArm", c="Hand")
        + "}\n"
        for s, k in (("Left", 1), ("Right", -1))
    )
    head = "JOINT Neck { OFFSET 0 1 0 JOINT Head { OFFSET 0 1 0 } }\n"
    trunk = "".join(f"JOINT Spine{k} {{ OFFSET 0 0.1 0\n" for k in range(spine))
    text = f"HIERARCHY ROOT Hips {{ OFFSET 0 0 0\n{legs}{trunk}{arms}{head}{'} ' * spine} }}\n"
    return f"{text}MOTION\nFrames: 1\nFrame Time: 0.1\n"


@pytest.mark.parametrize(
    ("count", "heights"),
    [
        (0, [None, 0.025, None]),
        (1, [None, 0.1, None]),
        (2, [0.1, 0.15, 0.2]),
        (3, [0.1, 0.2, 0.3]),
        (4, [0.1, 0.25, 0.4]),
    ],
)
def test_any_number_of_spine_joints_gives_ours(count: int, heights: list[float | None]) -> None:
    joints = to_joints(parse_bvh(hierarchy(count)))[0]
    for name, height in zip(("spine1", "spine2", "spine3"), heights, strict=True):
        if height is None:
            assert joints[J[name]].isnan().all()
        else:
            assert float(joints[J[name], 1]) == pytest.approx(height, abs=TOLERANCE)
    found = {name for name in JOINT_NAMES if not joints[J[name]].isnan().any()}
    assert found >= {"pelvis", "neck", "head", "left_collar", "right_shoulder", "left_ankle"}


def test_joints_on_top_of_one_another_are_none() -> None:
    joints = to_joints(parse_bvh(hierarchy(3, collar=0.0)))[0]
    assert joints[[J["left_collar"], J["right_collar"]]].isnan().all()
    assert not joints[J["left_shoulder"]].isnan().any()
