"""Anny's hands, jaw, phenotypes and texture coordinates."""

import dataclasses

import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body import retopology
from motiondistill.body.anny import Phenotype, anny_body
from motiondistill.body.anny_bones import BONE_OF_FINGER
from motiondistill.body.skeleton import DETAILED_NAMES, DETAILED_PARENTS, HOLDERS, JAW
from motiondistill.body.skinning import SkinnedBody
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import HAND_NAMES, JOINT_INDEX, NUM_JOINTS, PARENTS, Mesh, Motion

# Metres: float32 sums of up to nine influences on a body of two metres.
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=["low", pytest.param("full", marks=pytest.mark.slow)])
def body(request: pytest.FixtureRequest, low_body: SkinnedBody) -> SkinnedBody:
    return low_body if request.param == "low" else anny_body("full")


def resting(hands: Tensor | None = None, jaw: Tensor | None = None) -> Motion:
    """One frame in the T-pose."""
    return Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 8.0, hands, jaw)


def bent(name: str, vector: tuple[float, float, float]) -> Tensor:
    """Hands with one joint turned."""
    vectors = torch.zeros(1, len(HAND_NAMES), 3)
    vectors[0, HAND_NAMES.index(name)] = torch.tensor(vector)
    return rotations.from_axis_angle(vectors)


def random_motion(*batch: int, seed: int = 0) -> Motion:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        vectors = 0.7 * torch.randn(*batch, 3, *shape, 3, generator=generator)
        return rotations.from_axis_angle(vectors)

    shift = torch.randn(*batch, 3, 3, generator=generator)
    return Motion(draw(NUM_JOINTS), shift, 8.0, hands=draw(30), jaw=draw())


def test_the_detailed_skeleton_is_the_plain_one_and_what_it_holds() -> None:
    assert DETAILED_PARENTS[:NUM_JOINTS] == PARENTS and len(DETAILED_NAMES) == 53
    for index, (name, parent) in enumerate(zip(DETAILED_NAMES, DETAILED_PARENTS, strict=True)):
        assert parent < index, name
        assert index < NUM_JOINTS or HOLDERS[parent] == HOLDERS[index], name
    finger = {
        name: DETAILED_NAMES[DETAILED_PARENTS[DETAILED_NAMES.index(name)]] for name in HAND_NAMES
    }
    assert finger["left_thumb1"] == "left_wrist" and finger["right_ring3"] == "right_ring2"
    assert DETAILED_NAMES[DETAILED_PARENTS[JAW]] == "head"
    assert len(set(BONE_OF_FINGER.values())) == 30


@pytest.mark.parametrize("given", ["hands", "jaw", "both"])
def test_identities_are_rest(body: SkinnedBody, given: str) -> None:
    motion = random_motion()
    hands, jaw = rotations.identity(3, 30), rotations.identity(3)
    changes = {"hands": hands, "jaw": jaw}
    still = dataclasses.replace(
        motion,
        hands=changes["hands"] if given != "jaw" else None,
        jaw=changes["jaw"] if given != "hands" else None,
    )
    plain = body(dataclasses.replace(motion, hands=None, jaw=None))
    assert torch.allclose(body(still).vertices, plain.vertices, atol=TOLERANCE)
    assert torch.equal(body(still).joints, plain.joints)


def test_each_finger_joint_bends_its_own_finger(body: SkinnedBody) -> None:
    rest = body(resting()).vertices[0]
    assert body.detail is not None
    for name in HAND_NAMES:
        moved = (body(resting(bent(name, (0.0, 0.0, 0.5)))).vertices[0] - rest).norm(dim=-1)
        touched = rest[moved > 1e-3]
        assert len(touched) > 3, name
        side = 1 if name.startswith("left") else -1
        assert bool((touched[:, 0] * side > 0.6).all()), name  # the hand, in the T-pose
        pivot = body.detail.rest_joints[DETAILED_NAMES.index(name)]
        assert float((touched - pivot).norm(dim=-1).max()) < 0.12, name
        # The tip goes along with every joint of its finger: bending the second moves less.
    for finger in ("index", "middle", "pinky", "ring", "thumb"):
        first, second, third = (
            (body(resting(bent(f"left_{finger}{k}", (0.0, 0.0, 0.5)))).vertices[0] - rest)
            .norm(dim=-1)
            .max()
            for k in (1, 2, 3)
        )
        assert first > second > third


def test_fingers_lie_in_the_order_of_a_hand(body: SkinnedBody) -> None:
    """Palms down in the T-pose, thumbs forward."""
    assert body.detail is not None
    for side in ("left", "right"):
        forward = [
            float(body.detail.rest_joints[DETAILED_NAMES.index(f"{side}_{finger}2"), 2])
            for finger in ("thumb", "index", "middle", "ring", "pinky")
        ]
        assert forward == sorted(forward, reverse=True)


def test_turning_the_jaw_opens_the_mouth(body: SkinnedBody) -> None:
    rest = body(resting()).vertices[0]
    opened = body(resting(jaw=rotations.from_axis_angle(torch.tensor([[0.4, 0.0, 0.0]]))))
    way = opened.vertices[0] - rest
    moved = way.norm(dim=-1) > 1e-3
    head = body.rest_joints[JOINT_INDEX["head"]]
    assert int(moved.sum()) > 40
    assert bool((rest[moved, 2] > head[2] - 0.02).all())  # the front of the head
    assert bool((rest[moved, 1] < head[1] + 0.03).all())  # below the nose
    chin = way[:, 1].argmin()
    assert float(way[chin, 1]) < -0.02 and abs(float(rest[chin, 0])) < 0.02


def test_detailed_joints_move_as_kinematics_say(body: SkinnedBody) -> None:
    """Vertices that one finger joint moves alone go where its frame takes them."""
    motion, skin = random_motion(), body.detail
    assert skin is not None and motion.hands is not None and motion.jaw is not None
    local = torch.cat([motion.rotations, motion.jaw[:, None], motion.hands], 1)
    world, positions = forward_kinematics(local, skin.rest_joints, DETAILED_PARENTS)
    rest, posed = body(resting()).vertices[0], body(motion).vertices
    checked = 0
    for joint in range(NUM_JOINTS, len(DETAILED_NAMES)):
        rigid = skin.blend[4 * joint + 3] > 0.9999
        seen = rest[rigid] - skin.rest_joints[joint]
        expected = seen @ world[:, joint].transpose(-1, -2)
        expected = expected + (positions[:, joint] + motion.translation)[:, None]
        assert torch.allclose(posed[:, rigid], expected, atol=2 * TOLERANCE)
        checked += int(rigid.sum())
    assert checked > 20


def test_batches_of_detailed_motions_are_single_clips(low_body: SkinnedBody) -> None:
    motion = random_motion(2, 2)
    mesh = low_body(motion)
    single = low_body(motion.map(lambda tensor: tensor[1, 0]))
    assert torch.allclose(mesh.vertices[1, 0], single.vertices, atol=TOLERANCE)
    assert torch.allclose(mesh.joints[1, 0], single.joints, atol=TOLERANCE)


def test_gradients_reach_hands_and_jaw(low_body: SkinnedBody) -> None:
    body = low_body.to(dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(1229, 3, dtype=torch.float64, generator=generator)
    still = resting().map(torch.Tensor.double)

    def energy(hands: Tensor, jaw: Tensor) -> Tensor:
        turned = (rotations.from_axis_angle(vectors) for vectors in (hands, jaw))
        posed = Motion(still.rotations, still.translation, 8.0, *turned)
        return (body(posed).vertices * probe).sum()

    hands = torch.randn(1, 30, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    jaw = torch.randn(1, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(energy, (hands, jaw), fast_mode=True)


def test_a_body_without_fingers_says_so(low_body: SkinnedBody) -> None:
    plain = dataclasses.replace(low_body, detail=None)
    with pytest.raises(ValueError, match="neither hands nor a jaw on the body 'anny-low'"):
        plain(random_motion())


def test_texture_coordinates_fit_the_mesh(body: SkinnedBody) -> None:
    mesh: Mesh = body(resting())
    assert mesh.uv is not None and mesh.uv_faces is not None
    assert mesh.uv_faces.shape == mesh.faces.shape
    assert 0 <= int(mesh.uv_faces.min()) and int(mesh.uv_faces.max()) < len(mesh.uv)
    assert 0 <= float(mesh.uv.min()) and float(mesh.uv.max()) <= 1
    # Not mirrored, but for slivers: the texture's orientation is that of the surface.
    areas = texture_areas(mesh)
    assert float(areas.clamp(max=0).sum().abs()) < 0.01 * float(areas.sum())
    # And no triangle spans the texture from one side of a seam to the other.
    corners = mesh.uv[mesh.uv_faces]
    assert float((corners - corners.roll(1, 1)).norm(dim=-1).max()) < 0.15


def texture_areas(mesh: Mesh) -> Tensor:
    """Signed areas of the triangles on the texture."""
    assert mesh.uv is not None and mesh.uv_faces is not None
    corners = mesh.uv[mesh.uv_faces]
    (x, y), (z, w) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
    return (x * w - y * z) / 2


def test_the_low_mesh_wears_the_full_meshs_texture(low_body: SkinnedBody) -> None:
    """A texture coordinate means the same place on the skin at both resolutions."""
    full = anny_body("full")
    low_mesh, full_mesh = low_body(resting()), full(resting())
    assert float(texture_areas(low_mesh).sum()) == pytest.approx(
        float(texture_areas(full_mesh).sum()), rel=0.1
    )
    assert full_mesh.uv is not None and full_mesh.uv_faces is not None
    assert low_mesh.uv is not None and low_mesh.uv_faces is not None
    place = torch.zeros(len(full_mesh.uv), 3)
    place[full_mesh.uv_faces.flatten()] = full_mesh.vertices[0, full_mesh.faces.flatten()]
    nearest = torch.cdist(low_mesh.uv, full_mesh.uv).argmin(1)
    found = place[nearest[low_mesh.uv_faces]]
    apart = (found - low_mesh.vertices[0, low_mesh.faces]).norm(dim=-1)
    # The nearest full vertex is an edge of the full mesh away, but for corners beyond a seam.
    assert float(apart.median()) < 0.005
    assert float((apart > 0.03).float().mean()) < 0.01


def test_closest_points_on_triangles_are_no_farther_than_any_other() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.randn(200, 3, 3, generator=generator, dtype=torch.float64)
    points = 2 * torch.randn(200, 3, generator=generator, dtype=torch.float64)
    weights, distance = retopology._closest_on(points, corners)
    assert float(weights.min()) >= 0
    assert torch.allclose(weights.sum(-1), torch.ones(200, dtype=torch.float64))
    found = (weights[..., None] * corners).sum(1)
    assert torch.allclose((found - points).norm(dim=-1), distance)
    others = torch.rand(5000, 3, generator=generator, dtype=torch.float64).log()
    others = others / others.sum(-1, keepdim=True)  # uniform over the triangle
    apart = torch.cdist(points[:, None], others @ corners)[:, 0].min(1).values
    assert bool((apart >= distance - 1e-12).all()) and float((apart - distance).median()) < 0.05


def height(body: SkinnedBody) -> float:
    return float(body(resting()).vertices[..., 1].max())


@pytest.mark.parametrize(
    ("phenotype", "metres"),
    [
        (Phenotype(age=0.0), (0.5, 0.9)),
        (Phenotype(age=1 / 3), (1.0, 1.5)),
        (Phenotype(gender=0.0, age=2 / 3), (1.8, 2.0)),
        (Phenotype(gender=1.0, age=2 / 3), (1.65, 1.85)),
        (Phenotype(height=1.0), (1.9, 2.3)),
    ],
)
def test_phenotypes_have_their_heights(phenotype: Phenotype, metres: tuple[float, float]) -> None:
    body = anny_body("low", phenotype)
    assert metres[0] < height(body) < metres[1]
    assert abs(float(body(resting()).vertices[..., 1].min())) < TOLERANCE
    assert body.shape.tolist() == pytest.approx(list(dataclasses.astuple(phenotype)))


def volume(body: SkinnedBody) -> float:
    a, b, c = body(resting()).vertices[0][body.faces].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


@pytest.mark.slow
def test_weight_adds_volume_and_every_knob_changes_the_body(low_body: SkinnedBody) -> None:
    light, heavy = (anny_body("low", Phenotype(weight=value)) for value in (0.0, 1.0))
    assert volume(light) < volume(low_body) < volume(heavy)
    average = low_body(resting()).vertices
    for knob in dataclasses.fields(Phenotype):
        other = anny_body("low", Phenotype(**{knob.name: 0.9}))
        assert float((other(resting()).vertices - average).norm(dim=-1).max()) > 0.01, knob.name


def test_the_average_is_the_default_bit_for_bit(low_body: SkinnedBody) -> None:
    average = anny_body("low", Phenotype())
    assert torch.equal(average.blend, low_body.blend)
    assert torch.equal(average.rest_joints, low_body.rest_joints)
    assert len(average.shape) == 0


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_phenotypes_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"`weight` must be between 0 and 1, got {value}"):
        Phenotype(weight=value)
