"""Key frames: what they cost, how they are read and refused, and that a run reaches them."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from regularizer_cases import skeleton_mesh
from small_problem import body
from tiny_ltx import save_tiny

from motiondistill import config, rotations
from motiondistill.building import objects
from motiondistill.building.regularizers import make_key_frames, make_references, make_usual_poses
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.motion.motion_file import save_motion
from motiondistill.motion.pose_field import PoseField
from motiondistill.motion.statistics import load_statistics
from motiondistill.randomness import seeded
from motiondistill.regularizers.key_frames import KeyFrames, MotionKey, key_frame_error
from motiondistill.regularizers.weights import RegularizerWeights, penalties
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.query import Query
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS, Mesh, Motion

FPS = 4.0
EXACT = 1e-5  # float32
RUN = """
prior: {{model: {prior}}}
init: {{num_steps: 0}}
score: {{num_steps: 100, views: 1, learning_rate: 0.02}}
run: {{frames: 5}}
camera: {{size: [32, 32]}}
regularize:
  angular_speed: 0
  joint_acceleration: 0
  ground_penetration: 0
  tilt: 0
  key_frames:
  - {{time: 0, joint: left_wrist, position: {wrist}}}
  - {{time: 0, joint: right_ankle, position: {ankle}, weight: 20}}
  - {{time: 0.1, pose: {poses}, frame: 1}}
"""


def moving() -> tuple[Motion, Mesh]:
    """Along x at 1 m/s, while the head turns at 2 rad/s, for a second."""
    times = torch.arange(5) / FPS
    path = torch.stack([times, 0 * times, 0 * times], -1)
    turns = rotations.identity(5, NUM_JOINTS).clone()
    turns[:, J["head"]] = rotations.about_y(2 * times)
    return Motion(turns, path, FPS), skeleton_mesh(path)


def poses_file(path: Path) -> Path:
    """A motion file whose second frame has both arms raised to the front."""
    turns = rotations.identity(3, NUM_JOINTS).clone()
    turns[1, J["left_shoulder"]] = rotations.about_y(torch.tensor(-1.2))
    turns[1, J["right_shoulder"]] = rotations.about_y(torch.tensor(1.2))
    motion = Motion(turns, torch.zeros(3, 3), FPS)
    save_motion(path, motion, body()(motion).joints, prompt="x", seed=0, body="anny-low")
    return path


def error(*keys: MotionKey) -> float:
    return float(key_frame_error(*moving(), make_key_frames(keys, 5, FPS)))


@pytest.mark.parametrize("time", [0.0, 0.25, 0.4, 1.0])
def test_a_place_costs_its_squared_distance_between_frames_too(time: float) -> None:
    there = skeleton_mesh(torch.tensor([[time, 0.0, 0.0]])).joints[0, J["left_wrist"]]
    key = MotionKey(time, joint="left_wrist", position=tuple(there.tolist()))
    assert error(key) < EXACT
    x, y, z = key.position or (0, 0, 0)
    off = dataclasses.replace(key, position=(x + 0.3, y, z - 0.4), weight=3.0)
    assert error(off) == pytest.approx(3 * 0.25, rel=1e-4)
    assert error(key, off, off) == pytest.approx(2 * 3 * 0.25, rel=1e-4)


@pytest.mark.parametrize("time", [0.0, 0.25, 0.4, 1.0])
def test_a_pose_costs_the_joints_mean_squared_angle(time: float, tmp_path: Path) -> None:
    file = poses_file(tmp_path / "poses.npz")
    rest = error(MotionKey(time, pose=str(file), weight=1.0))
    assert rest == pytest.approx((2 * time) ** 2 / NUM_JOINTS, rel=1e-4, abs=EXACT)
    raised = error(MotionKey(time, pose=str(file), frame=1, weight=2.0))
    expected = 2 * ((2 * time) ** 2 + 2 * 1.2**2) / NUM_JOINTS
    assert raised == pytest.approx(expected, rel=1e-4)


def test_a_run_folder_stands_for_its_motion(tmp_path: Path) -> None:
    poses_file(tmp_path / "motion.npz")
    key = MotionKey(0.5, pose=str(tmp_path))
    assert error(key) == error(dataclasses.replace(key, pose=str(tmp_path / "motion.npz")))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{joint: head}", r"`regularize\.key_frames\[0\]\.time` must be given; add it\."),
        ("{time: 0}", r"`regularize\.key_frames\[0\]` must have either a joint .*, got neither;"),
        (
            "{time: 0, joint: head, position: [0, 1, 0], pose: a.npz}",
            r"`regularize\.key_frames\[0\]` must have either a joint .*, got both; make two",
        ),
        (
            "{time: 0, joint: head}",
            r"must have joint and position together, got joint head alone; give both",
        ),
        (
            "{time: 0, pose: a.npz, position: [0, 1, 0]}",
            r"must have joint and position together, got a position alone; give both",
        ),
        (
            "{time: 0, joint: hand, position: [0, 1, 0]}",
            r"`regularize\.key_frames\[0\]\.joint` must be a joint's name, got 'hand'; take one of "
            r"pelvis, left_hip, .*right_wrist\.",
        ),
        (
            "{time: 0, joint: head, position: [0, 1, 0], frame: 2}",
            r"`regularize\.key_frames\[0\]\.frame` must be left out without a pose, got 2; give",
        ),
        (
            "{time: -1, joint: head, position: [0, 1, 0]}",
            r"`regularize\.key_frames\[0\]\.time` must be between 0 and 1e\+06, got -1\.0\.",
        ),
        (
            "{time: 0, joint: head, position: [0, 1]}",
            r"`regularize\.key_frames` must be a list of \{time: a number, joint: ",
        ),
    ],
)
def test_records_that_say_nothing_clear_are_refused(record: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.load(OptimizeConfig, None, [f"regularize.key_frames=[{record}]"])


def test_files_and_times_that_there_are_not_are_told_with_their_key(tmp_path: Path) -> None:
    file = poses_file(tmp_path / "poses.npz")
    good = MotionKey(0.0, pose=str(file))
    with pytest.raises(FileNotFoundError, match=r"`regularize\.key_frames\[1\]\.pose` must be a"):
        make_key_frames([good, MotionKey(0.0, pose=str(tmp_path / "no.npz"))], 5, FPS)
    with pytest.raises(ValueError, match=r"key_frames\[0\]\.frame` must be below 3, .*got 3; take"):
        make_key_frames([dataclasses.replace(good, frame=3)], 5, FPS)
    with pytest.raises(ValueError, match=r"key_frames\[0\]\.time` must be within .* 1 s, got 1\.2"):
        make_key_frames([dataclasses.replace(good, time=1.2)], 5, FPS)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"`regularize\.key_frames\[0\]\.pose` must be a motion"):
        make_key_frames([MotionKey(0.0, pose=str(tmp_path / "broken.npz"))], 5, FPS)


def test_only_what_counts_is_prepared() -> None:
    rest = objects.at_rest(body())
    nothing = make_references(RegularizerWeights(), rest, 5, FPS, None)
    assert nothing.capsules is nothing.key_frames is None
    capsules = make_references(
        RegularizerWeights(self_penetration=1.0), rest, 5, FPS, None
    ).capsules
    assert capsules is not None and len(capsules.radii) == 15
    assert make_usual_poses({"regularize.pose_deviation": 0.0}, None) is None
    assert make_usual_poses({"regularize.pose_deviation": 0.0}, load_statistics()) is None
    with pytest.raises(ValueError, match=r"`regularize\.pose_deviation` must be 0 without pose"):
        make_usual_poses({"regularize.pose_deviation": 1.0}, None)


def test_deviations_are_from_the_statistics_of_the_field() -> None:
    """The mean pose costs nothing; one off by its axes costs what the file tells."""
    known = load_statistics()
    rest = objects.at_rest(body())
    weights = RegularizerWeights(pose_deviation=1.0)
    usual = make_usual_poses({"regularize.pose_deviation": 1.0}, known)
    references = make_references(weights, rest, 5, FPS, usual)
    assert references.statistics is not None
    offset = torch.zeros(NUM_JOINTS - 1, 3)
    offset[3] = torch.tensor([0.1, -0.2, 0.3])
    for vector, expected in (
        (torch.zeros_like(offset), 0.0),
        (offset, float(offset.flatten() @ known.precision @ offset.flatten()) / offset.numel()),
    ):
        pose = rotations.from_axis_angle(vector) @ known.mean
        turned = torch.cat([torch.eye(3)[None], pose])[None]
        motion = Motion(turned, torch.zeros(1, 3), FPS).frames(torch.zeros(3, dtype=torch.long))
        cost = penalties(motion, body()(motion), weights, references)["pose_deviation"]
        assert float(cost) == pytest.approx(expected, rel=1e-3, abs=EXACT)


@pytest.mark.slow
def test_a_run_by_key_frames_alone_reaches_them(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    """From the file of a configuration to the motion, with a prior that has no say."""

    def silent(query: Query) -> torch.Tensor:
        return torch.zeros_like(query.latents)

    neutral = body()(PoseField(generator=seeded(0))(3, 8.0)).joints[0]
    wrist = [
        round(x, 3) for x in (neutral[J["left_wrist"]] + torch.tensor([0.2, 0.45, 0.15])).tolist()
    ]
    ankle = [
        round(x, 3) for x in (neutral[J["right_ankle"]] + torch.tensor([0.0, 0.2, 0.1])).tolist()
    ]
    prior, poses = save_tiny(tmp_path_factory.mktemp("prior")), poses_file(tmp_path / "poses.npz")
    file = tmp_path / "mine.yaml"
    file.write_text(RUN.format(prior=prior, wrist=wrist, ankle=ankle, poses=poses))
    settings = config.load(OptimizeConfig, str(file))
    monkeypatch.setattr(objects, "make_body", lambda _: body())
    problem = objects.make_problem(settings, "x")
    loop = objects.make_settings(settings)
    loop = dataclasses.replace(loop, method=dataclasses.replace(loop.method, objective=silent))
    steps = list(optimize(problem, loop, initial_state(problem, loop)))
    first, last = steps[0], steps[-1]
    assert set(last.terms) >= {"key_frames", "score"} and last.terms["score"] == 0
    assert last.terms["key_frames"] < 1e-2 * first.terms["key_frames"]
    joints = body()(last.motion).joints[0]
    for name, wanted in (("left_wrist", wrist), ("right_ankle", ankle)):
        assert (joints[J[name]] - torch.tensor(wanted)).norm() < 0.03
    # The pose key lies between two frames, which together lie on it.
    keys = problem.references.key_frames
    assert isinstance(keys, KeyFrames)
    only_pose = dataclasses.replace(keys, place_weights=torch.zeros(2))
    gap = key_frame_error(last.motion, body()(last.motion), only_pose) / 10
    assert gap.sqrt() < 0.1
