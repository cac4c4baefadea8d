"""Clothes lie where clothes lie, fit every body, and look alike however they are laid on it."""

import colorsys
import dataclasses
from collections.abc import Callable

import pytest
import torch
from globe import globe
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_skeleton import rest_joints
from torch import Tensor

from motiondistill import rotations
from motiondistill.cameras import Orbit
from motiondistill.randomness import seeded
from motiondistill.render.appearance import Textured
from motiondistill.render.clothing import Fabric, Outfit, from_hsv, random_outfit, wear
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.shading import UNLIT
from motiondistill.render.tailoring import Clothed, bake, clothed, fill
from motiondistill.render.view import draw
from motiondistill.structures import JOINT_INDEX, NUM_JOINTS, PART_NAMES, Mesh, Motion

Posed = Callable[[Motion], Mesh]
CPU = CpuRasterizer()
FLOOR = torch.zeros(3)
SKIN, HAIR, SHOES, SHIRT, TROUSERS, BADGE = (
    torch.eye(6, 3) * 0.5 + torch.linspace(0, 0.5, 6)[:, None]
)


@pytest.fixture(scope="module")
def rest(low_body: Posed) -> Mesh:
    return low_body(Motion(rotations.identity(1, NUM_JOINTS), torch.zeros(1, 3), 8.0))


def plain_outfit(**changes: object) -> Outfit:
    """Every garment in one colour of its own, without unevenness."""
    none = (0.0, 0.0, 0.0)
    outfit = Outfit(
        skin=SKIN,
        hair=HAIR,
        shoes=SHOES,
        shirt=Fabric(torch.stack([SHIRT, BADGE]), none, 0.05),
        trousers=Fabric(torch.stack([TROUSERS, BADGE]), none, 0.05),
        sleeve=0.5,
        leg=1.0,
        badge=0.05,
        mottles=torch.zeros(1, 4),
    )
    return dataclasses.replace(outfit, **changes)


def is_colour(found: Tensor, colour: Tensor) -> Tensor:
    return (found - colour).abs().amax(-1) < 1e-4


def test_garments_lie_on_their_parts_of_the_body(rest: Mesh) -> None:
    found = wear(plain_outfit(), rest.vertices[0], rest, 1e-4)
    expected = {
        "left_wrist": SKIN,
        "right_wrist": SKIN,
        "left_knee": TROUSERS,
        "right_knee": TROUSERS,
        "spine2": SHIRT,
        "left_shoulder": SHIRT,
        "right_shoulder": SHIRT,
    }
    for name, colour in expected.items():
        here = is_colour(found[rest.parts == PART_NAMES.index(name)], colour)
        assert float(here.float().mean()) > 0.65, name
    for name in ("left_foot", "right_ankle"):
        foot = found[(rest.parts == PART_NAMES.index(name)) & (rest.vertices[0, :, 1] < 0.09)]
        sole = is_colour(foot, 0.35 * SHOES)
        shoe = is_colour(foot, SHOES) | sole
        assert float(shoe.float().mean()) > 0.9 and bool(sole.any())
    y, z = rest.vertices[0, :, 1], rest.vertices[0, :, 2]
    crown = y > y.max() - 0.02
    nose = (z > z[y > y.max() - 0.3].max() - 0.02) & (y > y.max() - 0.25)
    assert bool(is_colour(found[crown], HAIR).all()) and bool(is_colour(found[nose], SKIN).all())


def test_a_badge_is_on_the_chest_only(rest: Mesh) -> None:
    chest = rest.joints[0, JOINT_INDEX["spine3"]] + torch.tensor([0.0, 0.1, 0.1])
    back = chest * torch.tensor([1.0, 1.0, 0.0]) - torch.tensor([0.0, 0.0, 0.1])
    found = wear(plain_outfit(), torch.stack([chest, back]), rest, 1e-4)
    assert is_colour(found, torch.stack([BADGE, SHIRT])).all()
    without = wear(plain_outfit(badge=0.0), chest, rest, 1e-4)
    assert is_colour(without, SHIRT)


@pytest.mark.parametrize("sleeve", [0.0, 0.5, 1.0])
def test_sleeves_end_where_they_should(rest: Mesh, sleeve: float) -> None:
    shoulder, wrist = (rest.joints[0, JOINT_INDEX[f"left_{n}"], 0] for n in ("shoulder", "wrist"))
    along = torch.linspace(0.15, 1.1, 200)
    arm = torch.zeros(200, 3) + rest.joints[0, JOINT_INDEX["left_elbow"]]
    arm[:, 0] = shoulder + along * (wrist - shoulder)
    covered = is_colour(wear(plain_outfit(sleeve=sleeve), arm, rest, 1e-4), SHIRT)
    assert float(along[covered].max() if covered.any() else 0.15) == pytest.approx(sleeve, abs=0.16)
    assert bool(covered.diff().logical_not().sum() >= 198), "one end only"


def test_a_trunk_wider_than_its_shoulders_has_no_sleeves(rest: Mesh) -> None:
    joints = rest.joints[0]
    shoulder, elbow = (joints[JOINT_INDEX[f"left_{name}"]] for name in ("shoulder", "elbow"))
    lowest = joints[JOINT_INDEX["left_hip"], 1] + 0.04
    highest = shoulder[1] - 0.45 * (elbow[0] - shoulder[0])
    height = torch.linspace(float(lowest), float(highest), 200)
    rings = Fabric(torch.stack([SHIRT, BADGE]), (1.0, 0.0, 0.0), 0.04)
    outfit = plain_outfit(shirt=rings, sleeve=0.0, badge=0.0)
    middle, flank, far_flank = (
        wear(outfit, torch.stack([x.expand(200), height, torch.zeros(200)], -1), rest, 1e-4)
        for x in (torch.zeros(1), shoulder[0] + 0.02, -shoulder[0] - 0.15)
    )
    # Rings go round at one height, out to where a heavy body's flanks are.
    assert torch.equal(middle, flank) and torch.equal(middle, far_flank)
    assert bool(is_colour(middle, BADGE).any()) and not bool(is_colour(middle, SKIN).any())


def test_stripes_have_their_width_and_close_around_the_limb(rest: Mesh) -> None:
    fabric = Fabric(torch.stack([SHIRT, BADGE]), (1.0, 0.0, 0.0), 0.04)
    outfit = plain_outfit(shirt=fabric, badge=0.0)
    height = torch.linspace(1.0, 1.2, 2001)
    line = torch.stack([torch.zeros(2001), height, torch.full((2001,), 0.1)], -1)
    second = is_colour(wear(outfit, line, rest, 1e-5), BADGE)
    edges = height[1:][second.diff()]
    assert torch.allclose(edges.diff(), torch.tensor(0.04), atol=2e-4)
    around = plain_outfit(shirt=Fabric(fabric.colours, (0.0, 1.0, 0.0), 0.04), badge=0.0)
    angle = torch.linspace(0, 2 * torch.pi, 4001)[:-1]
    centre = rest.joints[0, JOINT_INDEX["left_shoulder"], 2]
    ring = torch.stack(
        [0.15 * angle.sin(), torch.full((4000,), 1.1), centre + 0.1 * angle.cos()], -1
    )
    second = is_colour(wear(around, ring, rest, 1e-5), BADGE)
    # An even number of edges, all stripes of one width in angle: no broken one at the back.
    changes = (second != second.roll(1)).nonzero().squeeze(1)
    assert len(changes) % 2 == 0 and len(changes) > 10
    widths = changes.diff(append=changes[:1] + 4000).float()
    assert float(widths.max() / widths.min()) < 1.02


def test_the_brightest_cloth_is_uneven_within_white(rest: Mesh) -> None:
    white = Fabric(torch.ones(2, 3), (0.0, 0.0, 0.0), 0.04)
    waves = torch.cat([torch.eye(3)[:2] * 300.0, torch.zeros(2, 1)], 1).repeat(4, 1)
    found = wear(plain_outfit(shirt=white, mottles=waves), rest.vertices[0], rest, 1e-3)
    assert 0 <= float(found.min()) and float(found.max()) == 1


def test_seen_from_afar_a_pattern_is_its_mean(rest: Mesh) -> None:
    fabric = Fabric(torch.stack([SHIRT, BADGE]), (0.0, 0.0, 1.0), 0.03)
    point = torch.tensor([0.01, 1.1, 0.1])
    found = wear(plain_outfit(shirt=fabric, badge=0.0), point, rest, 0.06)
    assert torch.allclose(found, (SHIRT + BADGE) / 2, atol=0.05)


def test_outfits_are_the_seeds() -> None:
    points = torch.rand(50, 3, generator=seeded(0)) * torch.tensor([0.3, 1.6, 0.2])
    rest = dataclasses.replace(globe(), joints=rest_joints()[None])
    first, again, other = (
        wear(random_outfit(seeded(seed, 0, "outfit")), points, rest, 0.01) for seed in (4, 4, 5)
    )
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=0.05)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_every_outfit_has_colours(seed: int) -> None:
    points = torch.rand(80, 3, generator=seeded(seed)) * torch.tensor([0.5, 1.6, 0.2])
    rest = dataclasses.replace(globe(), joints=rest_joints()[None])
    outfit = random_outfit(seeded(seed, 0, "outfit"))
    found = wear(outfit, points, rest, 0.005)
    assert 0 <= float(found.min()) and float(found.max()) <= 1
    if any(outfit.shirt.pattern):
        first, second = outfit.shirt.colours
        assert float((first.amax() - second.amax()).abs()) > 0.3, "its pattern can be seen"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_colours_from_hue_are_pythons(hue: float, saturation: float, value: float) -> None:
    expected = colorsys.hsv_to_rgb(hue, saturation, value)
    assert from_hsv(hue, saturation, value).tolist() == pytest.approx(expected, abs=1e-5)


def test_baked_clothes_are_those_computed_at_every_pixel() -> None:
    """The quick way against its readable twin."""
    body = globe((0.0, 0.85, 0.0), 0.4, rings=24)
    body = dataclasses.replace(body, joints=rest_joints()[None])
    outfit = dataclasses.replace(random_outfit(seeded(1)), sleeve=0.3)
    view = draw(CPU, body, Orbit(size=(64, 64))(torch.tensor([0.6, 3.0])))
    baked = clothed(outfit, body, CPU, side=512)
    assert isinstance(baked, Textured)
    quick, slow = (appearance(view, UNLIT, FLOOR) for appearance in (baked, Clothed(outfit, body)))
    inside = view.sees_body().squeeze(-1)
    error = (quick - slow)[inside].abs().amax(-1)
    assert float(slow[inside].std()) > 0.1, "there is a pattern"
    # They filter alike but not equally: edges differ by a fraction of a pixel.
    assert float(error.median()) < 0.02 and float(error.mean()) < 0.04


def test_a_body_without_texture_coordinates_wears_clothes_too(rest: Mesh, low_body: Posed) -> None:
    bare = dataclasses.replace(rest, uv=None, uv_faces=None)
    appearance = clothed(plain_outfit(), bare, CPU)
    assert isinstance(appearance, Clothed)
    # They move along: a raised arm takes its sleeve with it.
    local = rotations.identity(1, NUM_JOINTS).clone()
    local[0, JOINT_INDEX["left_shoulder"]] = rotations.from_axis_angle(
        torch.tensor([0.0, 0.0, 1.2])
    )
    mesh = dataclasses.replace(
        low_body(Motion(local, torch.zeros(1, 3), 8.0)), uv=None, uv_faces=None
    )
    view = draw(CPU, mesh, Orbit(size=(128, 128))(torch.tensor([0.0])))
    image = view.upright(appearance(view, UNLIT, FLOOR))[0, 0].permute(1, 2, 0)
    shirt = is_colour(image, SHIRT)
    hand = low_body(Motion(local, torch.zeros(1, 3), 8.0)).joints[0, JOINT_INDEX["left_elbow"]]
    assert int(shirt.sum()) > 200
    assert float(hand[1]) > 1.4
    rows = shirt.nonzero()[:, 0]
    arm_rows = (shirt[:, 74:]).nonzero()[:, 0]
    assert int(arm_rows.min()) < int(rows.float().median()) - 8


def test_gaps_are_filled_from_what_is_around() -> None:
    image = torch.zeros(1, 3, 16, 16)
    known = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    image[..., :4, :4], known[..., :4, :4] = 0.25, True
    image[..., 12:, 12:], known[..., 12:, 12:] = 0.75, True
    filled = fill(image, known)
    assert torch.equal(filled[known.expand_as(image)], image[known.expand_as(image)])
    assert 0.25 <= float(filled.min()) and float(filled.max()) <= 0.75
    near, far = filled[0, 0, 4, 4], filled[0, 0, 11, 11]
    assert float(near) < 0.4 and float(far) > 0.6
    constant = fill(torch.where(known, 0.3, torch.zeros(1, 3, 16, 16)), known)
    assert torch.allclose(constant, torch.tensor(0.3))


def test_the_side_of_a_baked_texture_is_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="`side` must be a power of two, got 500"):
        bake(plain_outfit(), globe(), CPU, side=500)
