from pathlib import Path
from typing import Any

import captures
import numpy as np
import pytest
import torch

from motiondistill import rotations
from motiondistill.data.importers.amass import read_amass, to_motion
from motiondistill.data.importers.smpl_skeletons import SMPL, SMPLX, SmplSkeleton
from motiondistill.data.retarget import retarget_rotations
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import PARENTS

# Single-precision products along chains of ten joints.
TOLERANCE = 1e-5
# What is read is checked against double precision, metres.
FILE_TOLERANCE = 1e-5
FRAMES = 6


def arrays(width: int = 156, **more: Any) -> dict[str, Any]:
    """A moving subject, +Z up as in AMASS."""
    poses = np.random.default_rng(0).uniform(-0.4, 0.4, (FRAMES, width))
    standing = captures.about(0, np.pi / 2)
    poses[:, :3] = [
        captures.rotation_vector(captures.about(2, 0.1 * k) @ standing) for k in range(FRAMES)
    ]
    trans = np.stack([np.linspace(0, 1, FRAMES), np.zeros(FRAMES), np.full(FRAMES, 0.9)], -1)
    return {"poses": poses, "trans": trans, "mocap_framerate": 120.0, "gender": "neutral"} | more


def saved(folder: Path, **content: Any) -> Path:
    path = folder / "walk_poses.npz"
    np.savez(path, **content)
    return path


def by_hand(skeleton: SmplSkeleton, content: dict[str, Any]) -> np.ndarray:
    """World joints as SMPL's equations have them, +Y up, in double precision."""
    vectors = np.asarray(content["poses"])[:, :66].reshape(FRAMES, 22, 3)
    turns = rotations.from_axis_angle(torch.from_numpy(vectors)).numpy()
    roots = np.array(skeleton.pelvis) + content["trans"]
    placed = captures.positions(turns, roots, np.array(skeleton.offsets), PARENTS)
    return placed @ captures.Z_UP


@pytest.mark.parametrize(("width", "skeleton"), [(66, SMPL), (72, SMPL), (156, SMPL), (165, SMPLX)])
def test_joints_are_where_smpl_has_them(width: int, skeleton: SmplSkeleton, tmp_path: Path) -> None:
    content = arrays(width)
    (clip,) = read_amass(saved(tmp_path, **content))
    assert np.abs(clip.joints.numpy() - by_hand(skeleton, content)).max() < FILE_TOLERANCE
    assert (clip.source, clip.fps, clip.label) == (skeleton.name, 120.0, "walk")


@pytest.mark.parametrize("width", [72, 165])
def test_the_motion_is_that_of_the_joints(width: int, tmp_path: Path) -> None:
    """On the skeleton in our T-pose, limbs and trunk come where SMPL's own equations put them."""
    (clip,) = read_amass(saved(tmp_path, **arrays(width)))
    skeleton = SMPLX if width == 165 else SMPL
    assert clip.motion is not None
    _, placed = forward_kinematics(clip.motion.rotations, skeleton.rest_joints())
    placed = placed + clip.motion.translation[:, None]
    assert (placed - clip.joints).abs().max() < TOLERANCE


@pytest.mark.parametrize("skeleton", [SMPL, SMPLX])
def test_our_t_pose_is_all_identities(skeleton: SmplSkeleton) -> None:
    """SMPL's rotations from its template to our T-pose are no rotations in our terms."""
    world = skeleton.t_pose()
    parents = torch.cat([torch.eye(3)[None], world[list(PARENTS[1:])]])
    poses = rotations.to_axis_angle(parents.transpose(-1, -2) @ world).reshape(1, 66)
    motion, joints = to_motion(skeleton, poses, torch.zeros(1, 3), 30.0, "y")
    assert (motion.rotations - torch.eye(3)).abs().max() < TOLERANCE
    arm = joints[0, J["left_wrist"]] - joints[0, J["left_shoulder"]]
    assert torch.allclose(arm / arm.norm(), torch.tensor([1.0, 0, 0]), atol=TOLERANCE)
    rest = skeleton.rest_joints()
    assert rest[0, [0, 2]].abs().max() < TOLERANCE
    assert 0.8 < float(rest[0, 1]) < 1.1


def test_y_up_files_are_told_apart(tmp_path: Path) -> None:
    content = arrays()
    content["poses"][:, :3] = 0
    content["trans"] = content["trans"][:, [0, 2, 1]]
    (clip,) = read_amass(saved(tmp_path, **content))
    assert (clip.joints[:, J["neck"], 1] - clip.joints[:, J["left_ankle"], 1]).min() > 0.8
    (told,) = read_amass(saved(tmp_path, **content), up="z")
    assert (told.joints[:, J["neck"], 1] - told.joints[:, J["left_ankle"], 1]).abs().max() < 0.8


def test_split_keys_and_both_spellings_of_the_rate(tmp_path: Path) -> None:
    whole = arrays()
    parts = {"trans": whole["trans"], "mocap_frame_rate": np.array(120.0)}
    parts |= {"root_orient": whole["poses"][:, :3], "pose_body": whole["poses"][:, 3:66]}
    parts |= {"pose_hand": whole["poses"][:, 66:]}
    (clip,), (split,) = read_amass(saved(tmp_path, **whole)), read_amass(saved(tmp_path, **parts))
    assert torch.equal(clip.joints, split.joints)
    assert clip.motion is not None and split.motion is not None
    assert clip.motion.hands is not None and split.motion.hands is not None
    assert torch.equal(clip.motion.hands, split.motion.hands)
    (named,) = read_amass(saved(tmp_path, **parts, surface_model_type="smplx"))
    assert named.source == "smplx"


def test_fingers_at_rest_are_none_and_fingers_that_bend_keep_their_angle(tmp_path: Path) -> None:
    content = arrays()
    content["poses"][:, 66:] = 0
    (clip,) = read_amass(saved(tmp_path, **content))
    assert clip.motion is not None and clip.motion.hands is None
    content["poses"][:, 66:69] = [0.0, 0.0, 0.7]
    (clip,) = read_amass(saved(tmp_path, **content))
    assert clip.motion is not None and clip.motion.hands is not None
    angles = rotations.to_axis_angle(clip.motion.hands).norm(dim=-1)
    assert torch.allclose(angles[:, 0], torch.full((FRAMES,), 0.7), atol=TOLERANCE)
    assert angles[:, 1:].max() < TOLERANCE


def test_another_rate_keeps_the_ends(tmp_path: Path) -> None:
    (clip,) = read_amass(saved(tmp_path, **arrays() | {"mocap_framerate": 10.0}))
    slow = clip.at(30.0)
    assert slow.motion is not None and clip.motion is not None
    assert len(slow.joints) == slow.motion.num_frames == 3 * (FRAMES - 1) + 1
    assert torch.allclose(slow.joints[::3], clip.joints, atol=TOLERANCE)
    assert torch.allclose(slow.motion.rotations[::3], clip.motion.rotations, atol=TOLERANCE)
    halfway = slow.motion.rotations[1, J["left_knee"]]
    whole = rotations.geodesic(*clip.motion.rotations[:2, J["left_knee"]])
    part = rotations.geodesic(clip.motion.rotations[0, J["left_knee"]], halfway)
    assert float(part) == pytest.approx(float(whole) / 3, abs=1e-4)


def test_exact_rotations_are_kept_on_another_body(tmp_path: Path) -> None:
    (clip,) = read_amass(saved(tmp_path, **arrays()))
    assert clip.motion is not None
    small = 0.5 * SMPL.rest_joints()
    moved = retarget_rotations(clip.motion, clip.joints, small)
    assert torch.equal(moved.rotations, clip.motion.rotations)
    # Half the size, half the way.
    travel = moved.translation - moved.translation[:1]
    expected = clip.motion.translation - clip.motion.translation[:1]
    assert torch.allclose(travel, 0.5 * expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trans": None}, "`trans` is missing"),
        ({"poses": None}, "`root_orient` is missing"),
        ({"mocap_framerate": None}, "tell it by `fps`"),
        ({"mocap_framerate": 0.0}, "positive"),
        ({"poses": np.zeros((FRAMES, 100))}, r"66, 72, 156, 165.*100"),
        ({"trans": np.zeros((2, 3))}, r"\(6, 3\).*\(2, 3\)"),
        ({"poses": np.full((FRAMES, 156), np.nan)}, "finite"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "one frame"),
        ({"trans": np.array([None, {}])}, "numpy.savez"),
    ],
)
def test_what_is_amiss_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    content = {name: value for name, value in (arrays() | change).items() if value is not None}
    with pytest.raises(ValueError, match=message) as error:
        read_amass(saved(tmp_path, **content))
    assert "walk_poses.npz" in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(share: float, tmp_path: Path) -> None:
    path = saved(tmp_path, **arrays())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="damaged"):
        read_amass(path)
