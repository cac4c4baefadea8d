"""BVH, read by pybvh and by ourselves; the body is Anny in any rest pose and unit."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pybvh
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_motions import largest_angle, largest_step, many_motions, random_motion

from motiondistill import rotations
from motiondistill.body.skeleton import DETAILED_NAMES, detailed_rotations, skeleton_kinematics
from motiondistill.building.export import detailed_rest
from motiondistill.data.importers.bvh import read_bvh as import_bvh
from motiondistill.formats.bvh import RestPose, Unit, bvh_text, write_bvh, zyx_angles
from motiondistill.formats.bvh_reading import read_bvh
from motiondistill.structures import JOINT_INDEX, JOINT_NAMES, Motion

UNITS, RESTS = get_args(Unit), get_args(RestPose)
# Six decimals of a metre or a centimetre, along chains of ten joints.
PLACES = {"m": 1e-5, "cm": 1e-6}
ANGLES = 1e-6


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("detailed", [False, True])
def test_pybvh_sees_our_joints_where_they_are(
    unit: Unit, rest: RestPose, detailed: bool, low_body: Any, tmp_path: Path
) -> None:
    motion = many_motions(25, detailed=detailed)
    joints = (detailed_rest(low_body) if detailed else low_body.rest_joints).double()
    write_bvh(tmp_path / "x.bvh", motion, joints, unit=unit, rest=rest)
    turns = detailed_rotations(motion) if detailed else motion.rotations
    _, places = skeleton_kinematics(turns, joints)
    places = places + motion.translation[:, None]
    read = pybvh.read_bvh_file(tmp_path / "x.bvh", world_up="+y")
    names = DETAILED_NAMES if detailed else JOINT_NAMES
    assert sorted(read.joint_names) == sorted(names)
    nodes = [node.name for node in read.nodes]
    found = read.node_positions()[:, [nodes.index(name) for name in names]]
    metres = {"m": 1.0, "cm": 0.01}[unit]
    assert np.abs(metres * found - places.numpy()).max() < PLACES[unit]
    assert (read.frame_count, read.fps) == (50, pytest.approx(30.0))


@pytest.mark.parametrize("rest", RESTS)
def test_the_rest_pose_is_the_one_that_is_named(
    rest: RestPose, low_body: Any, tmp_path: Path
) -> None:
    """Arms level, or at 45 degrees; a still motion shows the T-pose in either."""
    still = Motion(torch.eye(3).expand(2, 22, 3, 3), torch.zeros(2, 3), 30.0)
    write_bvh(tmp_path / "x.bvh", still, low_body.rest_joints, unit="m", rest=rest)
    read = pybvh.read_bvh_file(tmp_path / "x.bvh", world_up="+y")
    nodes = [node.name for node in read.nodes]
    resting = read.rest_pose_positions()
    for side, sign in (("left", 1), ("right", -1)):
        arm = resting[nodes.index(f"{side}_wrist")] - resting[nodes.index(f"{side}_shoulder")]
        down = {"t_pose": 0.0, "a_pose": -np.sqrt(0.5)}[rest]
        wanted = [sign * np.sqrt(1 - down**2), down, 0]
        assert np.allclose(arm / np.linalg.norm(arm), wanted, atol=1e-4)
    ends = read.node_positions()[0][[nodes.index("left_wrist"), nodes.index("right_wrist")]]
    wrists = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
    assert np.allclose(ends, low_body.rest_joints[wrists].numpy(), atol=1e-5)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("detailed", [False, True])
def test_our_reader_gives_the_motion_back(
    unit: Unit, rest: RestPose, detailed: bool, low_body: Any, tmp_path: Path
) -> None:
    motion = many_motions(25, detailed=detailed)
    joints = detailed_rest(low_body) if detailed else low_body.rest_joints
    write_bvh(tmp_path / "x.bvh", motion, joints, unit=unit, rest=rest)
    found = read_bvh(tmp_path / "x.bvh")
    assert found is not None
    assert largest_angle(found.motion, motion) < ANGLES
    assert largest_step(found.motion, motion) < PLACES[unit]
    assert (found.rest_joints - low_body.rest_joints).abs().max() < PLACES[unit]


def test_the_importer_of_data_sets_takes_it(low_body: Any, tmp_path: Path) -> None:
    motion = random_motion(0, 40, detailed=False, spread=0.2, dtype=torch.float32)
    write_bvh(tmp_path / "walk.bvh", motion, low_body.rest_joints)
    (clip,) = import_bvh(tmp_path / "walk.bvh", up="y")
    wanted = low_body(motion).joints
    # Anny's first spine joint is where its pelvis is, which to the importer is none.
    known = ~clip.joints.isnan().any(-1).any(0)
    assert known.sum() >= 19
    limbs = known & torch.tensor(["spine" not in name for name in JOINT_NAMES])
    assert (clip.joints - wanted)[:, limbs].abs().max() < 1e-4
    assert clip.fps == 30.0


@given(st.integers(0, 10_000), st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1e-7, 1e-7))
def test_angles_make_the_rotation_near_gimbal_lock_as_well(
    seed: int, lock: float, off: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    z, y, x = (6 * torch.rand(3, generator=generator, dtype=torch.float64) - 3).unbind()
    if lock:
        y = torch.tensor(lock * torch.pi / 2 + off, dtype=torch.float64)

    def about(axis: int, angle: torch.Tensor) -> torch.Tensor:
        vector = torch.zeros(3, dtype=torch.float64)
        vector[axis] = angle
        return rotations.from_axis_angle(vector)

    def turned(angles: torch.Tensor) -> torch.Tensor:
        return about(2, angles[0]) @ about(1, angles[1]) @ about(0, angles[2])

    matrix = turned(torch.stack([z, y, x]))
    assert torch.allclose(turned(zyx_angles(matrix)), matrix, atol=1e-6)


def test_angles_do_not_jump_by_whole_turns(low_body: Any) -> None:
    """Programs that interpolate angles would spin the body between two frames."""
    angle = torch.linspace(2.5, 10.0, 40)
    turns = torch.eye(3).repeat(40, 22, 1, 1)
    turns[:, 0] = rotations.from_axis_angle(torch.stack([0 * angle, 0 * angle, angle], -1))
    text = bvh_text(Motion(turns, torch.zeros(40, 3), 30.0), low_body.rest_joints)
    rows = np.loadtxt(text.splitlines()[-40:])
    assert np.allclose(np.diff(rows[:, 3]), np.degrees(7.5 / 39), atol=1e-3)


def test_other_skeletons_are_left_to_the_importer(low_body: Any, tmp_path: Path) -> None:
    motion = random_motion(0, detailed=False)
    text = bvh_text(motion, low_body.rest_joints)
    for changed in (text.replace("left_knee", "LeftLeg"), text.replace("End Site", "JOINT x")):
        (tmp_path / "x.bvh").write_text(changed)
        assert read_bvh(tmp_path / "x.bvh") is None
    (tmp_path / "x.bvh").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"x\.bvh"):
        read_bvh(tmp_path / "x.bvh")
    with pytest.raises(ValueError, match="22 joints"):
        bvh_text(motion, low_body.rest_joints[:5])
