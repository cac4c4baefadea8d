"""What is done to motions: undone when done twice, as large as stated, sliding where it slides."""

import dataclasses
import math

import pytest
import torch
from random_motions import largest_angle, largest_step, random_motion
from small_problem import body

from motiondistill import rotations
from motiondistill.data.parametric import parametric_motion
from motiondistill.data.windows import mirrored
from motiondistill.metrics.physical import metrics_of_mesh
from motiondistill.probing import changes
from motiondistill.randomness import seeded
from motiondistill.structures import NUM_JOINTS, Motion

ROUNDING = 1e-5
FPS, FRAMES = 8.0, 16
# Of the root mean square of some thousand normal numbers.
SPREAD = 0.05


def still(frames: int = FRAMES) -> Motion:
    return Motion(rotations.identity(frames, NUM_JOINTS), torch.zeros(frames, 3), FPS)


@pytest.mark.parametrize("seed", range(3))
def test_twice_reversed_and_twice_mirrored_is_the_original(seed: int) -> None:
    motion = random_motion(seed, 5)
    for change in (changes.reversed_in_time, mirrored):
        once, twice = change(motion), change(change(motion))
        assert largest_angle(once, motion) > 0.1
        assert largest_angle(twice, motion) < ROUNDING
        assert largest_step(twice, motion) < ROUNDING


def test_frames_cannot_tell_a_slide_of_the_fastest_speed_from_none() -> None:
    most = changes.fastest_slide(FPS)
    assert largest_step(changes.slid(still(), most), still()) < ROUNDING
    slow, fast = (changes.slid(still(), share * most) for share in (0.9, 1.1))
    # As far beyond the bound, the same positions on the other side: as if it swayed slower.
    assert torch.allclose(slow.translation, -fast.translation, atol=ROUNDING)
    assert largest_step(slow, still()) > 0.1


def test_shuffled_frames_are_the_same_in_another_order() -> None:
    motion = random_motion(0, 6)
    moved = changes.shuffled(motion, seeded(0))
    order = [
        int((moved.translation[frame] - motion.translation).norm(dim=-1).argmin())
        for frame in range(6)
    ]
    assert sorted(order) == list(range(6)) != order
    assert largest_angle(moved, motion.frames(torch.tensor(order))) == 0


def test_stopped_stays_in_a_pose_of_the_motion() -> None:
    motion = random_motion(0, 5)
    found = changes.stopped(motion)
    assert largest_angle(found, motion.frames(torch.full((5,), 2))) == 0
    assert found.translation.diff(dim=0).abs().max() == 0


@pytest.mark.parametrize("size", [0.05, 0.3])
def test_jitter_has_the_stated_size_and_leaves_the_pelvis(size: float) -> None:
    motion = random_motion(0, 100, spread=0.3, dtype=torch.float32)
    moved = changes.jittered(motion, size, seeded(0))
    angles = rotations.geodesic(motion.rotations, moved.rotations)
    assert angles[:, 0].max() < 1e-3  # float32, near zero
    assert angles[:, 1:].square().mean().sqrt() == pytest.approx(size, rel=SPREAD)
    assert largest_step(moved, motion) == 0


@pytest.mark.parametrize("waves", [1, 4, 16])
def test_pose_noise_has_the_stated_size_at_any_smoothness(waves: int) -> None:
    noise = changes.pose_noise(FRAMES, 400, size=0.2, waves=waves, generator=seeded(0))
    assert noise.square().sum(-1).mean().sqrt() == pytest.approx(0.2, rel=SPREAD)
    if waves == 1:
        assert noise.diff(dim=0).abs().max() < ROUNDING
    # No more waves than were asked for: the matrix over time has their rank.
    rank = torch.linalg.matrix_rank(noise.flatten(1).double(), rtol=1e-5)
    assert int(rank) == waves


def test_the_way_back_leads_back() -> None:
    motion = random_motion(0, 4, spread=0.4)
    noise = changes.pose_noise(4, NUM_JOINTS, size=0.3, waves=4, generator=seeded(1)).double()
    off = changes.turned_by(motion, noise)
    back = changes.towards(off, motion)
    assert torch.allclose(back, -noise, atol=ROUNDING)
    assert largest_angle(changes.turned_by(off, back), motion) < ROUNDING


@pytest.mark.parametrize("heading", [0.0, 1.0])
@pytest.mark.parametrize("speed", [0.4, 0.8])
def test_slid_goes_sideways_at_the_stated_speed(heading: float, speed: float) -> None:
    # 100 frames a second, so that a sine is as long as its chords; whole periods.
    frames = 1 + 100 * round(4 * changes.SWAY / speed)
    standing = dataclasses.replace(still(frames), fps=100.0)
    turn = rotations.about_y(torch.tensor(heading))
    standing = dataclasses.replace(standing, rotations=turn @ standing.rotations)
    way = changes.slid(standing, speed).translation
    assert float(way.diff(dim=0).norm(dim=-1).mean() * 100) == pytest.approx(speed, rel=0.01)
    assert way.norm(dim=-1).max() <= changes.SWAY + ROUNDING
    ahead = torch.tensor([math.sin(heading), 0.0, math.cos(heading)])
    assert (way @ ahead).abs().max() < ROUNDING
    assert way[:, 1].abs().max() == 0


@pytest.mark.parametrize("action", ["stand", "walk"])
def test_feet_slide_on_the_floor_when_slid(action: str) -> None:
    """On the even treadmill under a walk that is held in place."""
    motion = parametric_motion(action, "right", seeded(0), body().rest_joints, FPS, FRAMES)
    before, after = (
        metrics_of_mesh(body()(each), FPS).treadmill_sliding.speed
        for each in (motion, changes.slid(motion, 0.8))
    )
    assert changes.stands_on_feet(body()(motion), FPS)
    assert before < 0.35
    assert after > before + 0.3


def test_who_flies_does_not_stand_on_feet() -> None:
    flying = dataclasses.replace(still(), translation=torch.tensor([0.0, 0.5, 0.0]).expand(16, 3))
    assert changes.stands_on_feet(body()(still()), FPS)
    assert not changes.stands_on_feet(body()(flying), FPS)


def joints_of(action: str, seed: int) -> torch.Tensor:
    motion = parametric_motion(action, "right", seeded(seed), body().rest_joints, FPS, FRAMES)
    return body()(motion).joints


@pytest.mark.parametrize("seed", range(3))
def test_only_what_has_a_direction_is_asked_for_it(seed: int) -> None:
    for action in ("walk", "run", "sit", "kick", "jump", "throw"):
        assert not changes.looks_alike_backwards(joints_of(action, seed)), action
    for action in ("squat", "jumping jacks", "stand"):
        assert changes.looks_alike_backwards(joints_of(action, seed)), action


def test_a_pendulum_looks_alike_backwards_and_a_saw_does_not() -> None:
    time = torch.arange(24) / 24
    for wave, alike in (
        ((math.tau * 2 * time).sin(), True),
        ((math.tau * time + 0.7).sin(), True),
        ((2 * time) % 1, False),
        (time, False),
        (torch.zeros(24), True),
    ):
        joints = torch.zeros(24, 5, 3)
        joints[:, 3, 1] = wave
        assert changes.looks_alike_backwards(joints) == alike
        assert changes.looks_alike_backwards(joints.flip(0)) == alike
        # Wherever the body stands, its limbs are what moves.
        assert changes.looks_alike_backwards(joints + time[:, None, None]) == alike
