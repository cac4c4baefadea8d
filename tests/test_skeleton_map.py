"""Skeleton maps show the body's own points, where they can be seen."""

import math

import pytest
import torch
from ball import as_mesh
from openpose import POINT, colour
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit, azimuths_of, project
from motiondistill.data.parametric import parametric_motion
from motiondistill.randomness import seeded
from motiondistill.render.skeleton_map import (
    COLOURS,
    KEY_POINTS,
    LIMB_BRIGHTNESS,
    LIMBS,
    key_points,
    skeleton_map,
)
from motiondistill.structures import FACE_PART, JOINT_INDEX, NUM_JOINTS, Motion
from motiondistill.trajectories import turn

FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


def neutral(frames: int = 1) -> Motion:
    return Motion(rotations.identity(frames, NUM_JOINTS), torch.zeros(frames, 3), 8.0)


def turned(joint: str, axis_angle: tuple[float, float, float]) -> Motion:
    matrices = neutral().rotations.clone()
    matrices[:, JOINT_INDEX[joint]] = rotations.from_axis_angle(torch.tensor(axis_angle))
    return Motion(matrices, torch.zeros(1, 3), 8.0)


def shows(image: Tensor, name: str) -> bool:
    """Whether any pixel has the key point's own bright colour."""
    return bool((image - colour(name)[:, None, None]).abs().amax(0).min() < 0.02)


def test_face_points_lie_on_the_face(low_body) -> None:
    mesh, motion = low_body(neutral()), neutral()
    points = dict(zip(KEY_POINTS, key_points(mesh, motion)[0], strict=True))
    head = mesh.vertices[0, (mesh.parts == FACE_PART) | (mesh.parts == JOINT_INDEX["head"])]
    for name in FACE:
        # Within a centimetre and a half of the skin.
        assert float((head - points[name]).norm(dim=-1).min()) < 0.015, name
    assert float(points["nose"][2]) == pytest.approx(float(head[:, 2].max()), abs=0.002)
    for organ in ("eye", "ear"):
        left, right = points[f"left_{organ}"], points[f"right_{organ}"]
        assert torch.allclose(left, right * torch.tensor([-1.0, 1, 1]), atol=2e-3)
        assert float(left[0]) > 0.02
    assert points["nose"][2] > points["left_eye"][2] > points["left_ear"][2]
    assert points["left_eye"][1] > points["nose"][1] > points["neck"][1]


def test_body_points_are_the_joints(low_body) -> None:
    motion = parametric_motion("kick", "left", seeded(1), low_body.rest_joints, 8.0, 3)
    mesh = low_body(motion)
    points = key_points(mesh, motion)
    for name in KEY_POINTS[2:14]:
        assert torch.equal(points[:, POINT[name]], mesh.joints[:, JOINT_INDEX[name]])
    shoulders = [mesh.joints[:, JOINT_INDEX[f"{side}_shoulder"]] for side in ("left", "right")]
    assert torch.allclose(points[:, POINT["neck"]], (shoulders[0] + shoulders[1]) / 2)


def test_the_face_turns_with_the_head(low_body) -> None:
    straight, motion = key_points(low_body(neutral()), neutral()), turned("head", (0.3, 0.7, -0.2))
    mesh = low_body(motion)
    rotation, pivot = motion.rotations[0, JOINT_INDEX["head"]], mesh.joints[0, JOINT_INDEX["head"]]
    for name in FACE:
        expected = rotation @ (straight[0, POINT[name]] - pivot) + pivot
        found = key_points(mesh, motion)[0, POINT[name]]
        # The neck's skin bends along and changes the box round the head a little.
        assert torch.allclose(found, expected, atol=6e-3), name


@pytest.mark.parametrize(
    ("view", "hidden"),
    [
        ("front", ()),
        ("left side", ("right_eye", "right_ear")),
        ("right side", ("left_eye", "left_ear")),
        ("back", ("nose", "right_eye", "left_eye")),
        ("back left", ("nose", "right_eye", "left_eye", "right_ear")),
        ("front left", ("right_ear",)),
    ],
)
def test_faces_are_seen_from_where_they_look(low_body, view: str, hidden: tuple[str, ...]) -> None:
    motion = neutral()
    camera = Orbit(size=(240, 240))(azimuths_of([view]))
    image = skeleton_map(low_body(motion), motion, camera, stick=1.5)[0, 0]
    pixels = project(key_points(low_body(motion), motion), camera)[0][0, 0]
    drawn = {
        name
        for name in FACE
        if torch.allclose(
            image[:, int(pixels[POINT[name], 1]), int(pixels[POINT[name], 0])],
            colour(name),
            atol=1e-4,
        )
    }
    assert drawn == set(FACE) - set(hidden)


def test_left_is_on_the_right_of_the_front_view_and_row_zero_at_the_top(low_body) -> None:
    motion = turned("left_shoulder", (0.0, 0.0, 1.2))
    image = skeleton_map(low_body(motion), motion, Orbit(size=(128, 128))(torch.zeros(1)))
    assert image.shape == (1, 1, 3, 128, 128)
    assert 0 <= float(image.min()) and float(image.max()) <= 1

    def place(name: str) -> Tensor:
        near = (image[0, 0] - colour(name)[:, None, None]).abs().amax(0) < 0.1
        return near.nonzero().float().mean(0)

    left, right, nose = place("left_wrist"), place("right_wrist"), place("nose")
    assert left[1] > 70 and right[1] < 58
    assert left[0] < nose[0] < right[0] < place("left_ankle")[0]


def test_what_is_outside_of_the_picture_is_left_out(low_body) -> None:
    motion = neutral()
    # So near that only the trunk is in the picture.
    camera = Orbit(size=(96, 96), distance=2.2)(torch.zeros(1))
    mesh = low_body(motion)
    image = skeleton_map(mesh, motion, camera, stick=2.0)[0, 0]
    assert shows(image, "right_hip") and shows(image, "neck")
    assert not any(shows(image, f"{side}_wrist") for side in ("left", "right"))
    # Inside of the body, looking out at its back: all that is behind the camera is left out.
    inside = Orbit(size=(96, 96), distance=0.05)(torch.tensor([math.pi]))
    image = skeleton_map(mesh, motion, inside, stick=2.0)
    assert bool(image.isfinite().all()) and not shows(image[0, 0], "left_ankle")


def test_views_clips_and_moving_cameras_broadcast(low_body) -> None:
    motion = parametric_motion("wave", "left", seeded(1), low_body.rest_joints, 8.0, 3)
    mesh = low_body(motion)
    camera = turn(Orbit(size=(48, 64)), 1.0, 1.0)(torch.tensor([0.0, 0.5, 1.0]), torch.zeros(2))
    together = skeleton_map(mesh, motion, camera)
    assert together.shape == (2, 3, 3, 48, 64)
    assert torch.equal(together[0], together[1])
    for frame, azimuth in enumerate((0.0, 0.5, 1.0)):
        one = Motion(motion.rotations[frame, None], motion.translation[frame, None], 8.0)
        still = Orbit(size=(48, 64))(torch.tensor([azimuth]))
        alone = skeleton_map(low_body(one), one, still)
        assert torch.allclose(together[0, frame], alone[0, 0], atol=1e-3)


def test_sticks_of_512_pixels_are_as_wide_as_the_annotators(low_body) -> None:
    motion = neutral()
    mesh, camera = low_body(motion), Orbit(size=(512, 640))(torch.zeros(1))
    image = skeleton_map(mesh, motion, camera)[0, 0]
    pixels = project(key_points(mesh, motion), camera)[0][0, 0]
    elbow, wrist = (pixels[POINT[f"left_{joint}"]] for joint in ("elbow", "wrist"))
    limb = COLOURS[LIMBS.index((POINT["left_elbow"], POINT["left_wrist"]))]
    forearm = LIMB_BRIGHTNESS * torch.tensor(limb) / 255
    # Columns across the arm, which lies level: 4 pixels to either side of the middle one.
    for place, shown in ((wrist, colour("left_wrist")), ((elbow + wrist) / 2, forearm)):
        across = image[:, :, int(place[0])]
        assert float(across.sum() / shown.sum()) == pytest.approx(9, abs=0.2)


def test_sticks_grow_with_the_picture(low_body) -> None:
    motion = neutral()
    mesh = low_body(motion)
    shares = [
        float(skeleton_map(mesh, motion, Orbit(size=size)(torch.zeros(1))).amax(2).mean())
        for size in ((128, 128), (256, 256))
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


def test_a_body_without_a_head_has_no_face_to_place() -> None:
    mesh = as_mesh(torch.rand(1, 5, 3), torch.tensor([[0, 1, 2]]))
    with pytest.raises(ValueError, match="`mesh` must have vertices of the head"):
        key_points(mesh, neutral())
