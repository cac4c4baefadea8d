"""AMASS and SMPL-X parameters, proved by the `smplx` package on a stand-in for its file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_motions import largest_angle, largest_step, many_motions, random_motion
from torch import Tensor

from motiondistill.body.smplx import SmplxBody, smplx_body
from motiondistill.data.importers.amass import load_smpl, to_motion
from motiondistill.data.importers.smpl_skeletons import SMPL, SMPLX, SmplSkeleton
from motiondistill.formats.amass import amass_arrays, smplh_arrays, write_amass, write_smplh
from motiondistill.formats.smpl import SmplPoses, skeleton_of, to_smpl, z_up
from motiondistill.formats.smplx_params import write_smplx
from motiondistill.structures import Motion

# What was asked for, metres and radians; float32 keeps a thousandth of it.
VERTICES, ANGLES = 1e-4, 1e-4
# Chains of ten single-precision products.
PLACES = 1e-5
RANDOM = 50
BETAS, EXPRESSION = (1.5, -0.7, 0.3), (0.0, 2.0)
# y-up to z-up as a human writes it: x stays, z is what was y, y is what was -z.
Z_FROM_Y = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).double()


@pytest.fixture(scope="module")
def body(smplx_file: Path) -> SmplxBody:
    return smplx_body(smplx_file, betas=BETAS, expression=EXPRESSION, dtype=torch.float64)


@pytest.fixture(scope="module")
def package(smplx_file: Path) -> Any:
    import smplx

    return smplx.SMPLX(
        str(smplx_file),
        batch_size=2 * RANDOM,
        use_pca=False,
        flat_hand_mean=True,
        dtype=torch.float64,
    )


def forward(package: Any, arguments: dict[str, Any]) -> Any:
    with torch.no_grad():
        return package(
            **{name: torch.from_numpy(np.asarray(a)).double() for name, a in arguments.items()}
        )


def stored(path: Path, skeleton: SmplSkeleton | None = None) -> Motion:
    """The motion in a file, on its skeleton, the average one if None."""
    file = load_smpl(path)
    motion, _ = to_motion(skeleton or file.skeleton, file.poses, file.trans, file.fps, file.up)
    return motion


def from_amass(file: Any) -> dict[str, Any]:
    """How programs cut `poses` of 165 numbers."""
    poses = file["poses"]
    names = "global_orient body_pose jaw_pose leye_pose reye_pose left_hand_pose right_hand_pose"
    ends = (3, 66, 69, 72, 75, 120, 165)
    starts = (0, *ends[:-1])
    parts = {n: poses[:, a:b] for n, a, b in zip(names.split(), starts, ends, strict=True)}
    betas = np.tile(file["betas"][:10], (len(poses), 1))
    expression = np.tile(np.pad(EXPRESSION, (0, 8)), (len(poses), 1))
    return parts | {"betas": betas, "expression": expression, "transl": file["trans"]}


@pytest.mark.parametrize("kind", ["amass", "smplx"])
def test_smplx_poses_the_file_as_we_pose_the_motion(
    kind: str, body: SmplxBody, package: Any, tmp_path: Path
) -> None:
    """Fifty motions through the file, through the package, and back through our reader."""
    skeleton, path = skeleton_of(body), tmp_path / "motion.npz"
    motion = many_motions(RANDOM)
    ours = body(motion).vertices
    if kind == "amass":
        write_amass(path, motion, skeleton, BETAS)
        with np.load(path) as file:
            theirs = forward(package, from_amass(file)).vertices @ Z_FROM_Y
    else:
        write_smplx(path, motion, skeleton, BETAS, EXPRESSION)
        with np.load(path) as file:
            theirs = forward(package, dict(file)).vertices
    assert float((theirs - ours).norm(dim=-1).max()) < VERTICES
    back = stored(path, skeleton)
    assert largest_angle(back, motion) < ANGLES
    again = body(back.map(torch.Tensor.double)).vertices
    assert float((again - ours).norm(dim=-1).max()) < VERTICES


def test_who_stands_in_our_t_pose_stands_on_the_floor_of_a_z_up_world(
    body: SmplxBody, package: Any
) -> None:
    """The closed form: +Z up, and the pelvis' rest height does not tilt into the ground plane."""
    frames = 2 * RANDOM
    still = Motion(torch.eye(3).expand(frames, 22, 3, 3), torch.zeros(frames, 3), 30.0)
    arrays = amass_arrays(still, skeleton_of(body), BETAS)
    found = forward(package, from_amass(arrays))
    assert abs(float(found.vertices[..., 2].min())) < VERTICES
    pelvis = torch.tensor([0.0, 0.0, float(body.rest_joints[0, 1])]).double()
    assert torch.allclose(found.joints[:, 0], pelvis.expand(frames, 3), atol=VERTICES)
    toes = found.joints[0, 10] - found.joints[0, 7]
    assert float(toes[1]) < -0.05  # facing -Y, as Blender's figures


@pytest.mark.parametrize("fps", [8.0, 12.5, 24.0, 30.0, 60.0, 120.0])
def test_a_file_has_all_keys_that_readers_demand(fps: float, tmp_path: Path) -> None:
    motion = random_motion(0, 9, fps=fps, detailed=False)
    write_amass(tmp_path / "x.npz", motion)
    write_smplh(tmp_path / "h.npz", motion)
    for name, width in (("x.npz", 165), ("h.npz", 156)):
        with np.load(tmp_path / name, allow_pickle=False) as file:
            arrays = dict(file)  # objects would raise here
        rate = float(arrays["mocap_frame_rate"])
        assert rate == float(arrays["mocap_framerate"]) == max(fps, 30.0)
        # The add-on takes every n-th frame, for 30 fps.
        assert int(rate / 30) >= 1
        frames = len(arrays["poses"])
        assert arrays["poses"].shape == (frames, width) and arrays["trans"].shape == (frames, 3)
        assert (str(arrays["gender"]), arrays["betas"].shape) == ("neutral", (16,))
        assert abs((frames - 1) / rate - 8 / fps) < 1 / rate
        assert float(arrays["mocap_time_length"]) == pytest.approx(frames / rate)
        assert not arrays["betas"].any()
    with np.load(tmp_path / "x.npz") as file:
        assert str(file["surface_model_type"]) == "smplx"
        widths = {"root_orient": 3, "pose_body": 63, "pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
        assert {name: file[name].shape[1] for name in widths} == widths
        joined = np.concatenate([file[name] for name in widths], 1)
        assert np.array_equal(joined, file["poses"])


def test_resampling_keeps_what_was_there() -> None:
    """Frames that both rates have are the same, and those between lie on a smooth curve."""
    motion = random_motion(1, 4, fps=10.0, spread=0.3, detailed=False)
    slow, fast = amass_arrays(motion)["poses"], amass_arrays(motion)["trans"]
    same = amass_arrays(Motion(motion.rotations, motion.translation, 30.0))
    assert np.allclose(slow[::3], same["poses"], atol=1e-6)
    assert np.allclose(fast[::3], same["trans"], atol=1e-6)
    before, here, there, after = fast[::3]
    # A third of the way on Hermite's cubic, with the velocities of Catmull and Rom.
    curve = here + (2 * (there - before) + 7 * (there - here) - (after - here)) / 27
    assert np.allclose(fast[4], curve, atol=1e-5)


@pytest.mark.parametrize("detailed", [False, True])
def test_average_bodies_take_and_give_back_any_motion(detailed: bool, tmp_path: Path) -> None:
    motion = many_motions(RANDOM, detailed=detailed)
    write_amass(tmp_path / "x.npz", motion)
    write_smplx(tmp_path / "p.npz", motion)
    for name in ("x.npz", "p.npz"):
        back = stored(tmp_path / name)
        assert largest_angle(back, motion) < ANGLES and largest_step(back, motion) < PLACES
    write_smplh(tmp_path / "h.npz", motion)
    back = stored(tmp_path / "h.npz")
    without = Motion(motion.rotations, motion.translation, motion.fps, motion.hands)
    assert largest_angle(back, without) < ANGLES and largest_step(back, motion) < PLACES


def test_the_rest_poses_differ_by_their_arms() -> None:
    """Our T-pose is not SMPL's template: its level arms are turned shoulders there."""
    still = Motion(torch.eye(3).expand(1, 22, 3, 3), torch.zeros(1, 3), 30.0)
    for skeleton in (SMPL, SMPLX):
        angles = to_smpl(still, skeleton).body.norm(dim=-1)[0]
        assert float(angles[[16, 17]].min()) > 0.03  # shoulders
        assert float(angles[[0, 3, 6, 9, 12, 13, 14, 15]].max()) < 1e-6  # trunk and head


@pytest.mark.parametrize("seed", range(3))
def test_translation_turns_about_the_pelvis(seed: int) -> None:
    """`J_0 + t` in the new world is the turned `J_0 + t` of the old one."""
    poses = to_smpl(random_motion(seed), SMPLX)
    turned = z_up(poses, SMPLX)
    pelvis = torch.tensor(SMPLX.pelvis).double()

    def place(given: SmplPoses) -> Tensor:
        return pelvis + given.transl

    assert torch.allclose(place(turned), place(poses) @ Z_FROM_Y.T, atol=1e-12)
    assert torch.equal(turned.body[:, 1:], poses.body[:, 1:])


def test_smplh_has_no_jaw_and_keeps_fingers() -> None:
    motion = random_motion(2)
    arrays = smplh_arrays(motion)
    fingers = arrays["poses"][:, 66:].reshape(-1, 30, 3)
    hands = motion.hands
    assert hands is not None
    angles = torch.from_numpy(fingers).norm(dim=-1)
    wanted = (hands.diagonal(dim1=-2, dim2=-1).sum(-1) / 2 - 0.5).clamp(-1, 1).acos()
    assert torch.allclose(angles, wanted, atol=1e-6)


def test_a_file_that_cannot_be_written_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_amass(path, random_motion(0))
    before = path.read_bytes()
    broken = random_motion(1)
    object.__setattr__(broken, "fps", 0.0)
    with pytest.raises((ValueError, ZeroDivisionError)):
        write_amass(path, broken)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transl": None}, "`trans` is missing"),
        ({"body_pose": np.zeros((2, 60))}, "66, 72, 156, 165"),
        ({"jaw_pose": np.zeros((5, 3))}, "one row a frame"),
        ({"transl": np.full((2, 3), np.nan)}, "`trans` .* finite"),
        ({"fps": np.array(0.0)}, "positive"),
    ],
)
def test_what_is_amiss_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "params.npz"
    write_smplx(path, random_motion(0))
    with np.load(path) as file:
        arrays = {name: value for name, value in (dict(file) | change).items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as error:
        stored(path)
    assert "params.npz" in str(error.value)
