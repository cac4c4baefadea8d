"""Random scenes: the generator's, within their ranges, and different in nothing else."""

import dataclasses
import math

import pytest
import torch
from globe import globe
from hypothesis import given, settings
from hypothesis import strategies as st
from standin_skeleton import rest_joints

from motiondistill.cameras import Orbit
from motiondistill.randomness import seeded
from motiondistill.render.appearance import NormalMap, PartColours, part_palette
from motiondistill.render.background import Sky, Solid
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.ground import Checks, Ground
from motiondistill.render.randomization import (
    random_background,
    random_clothes,
    random_colours,
    random_light,
    randomized,
    turn_hues,
)
from motiondistill.render.scene import Scene
from motiondistill.render.shading import UNLIT
from motiondistill.render.shadow import ContactShadow

CPU = CpuRasterizer()
SCENE = Scene(CPU, ground=Ground(checks=Checks(), shadow=ContactShadow(0.4)))
REST = dataclasses.replace(globe(rings=10), joints=rest_joints()[None])
CHANGES = {
    "light": (random_light, {"light"}),
    "background": (random_background, {"background", "ground"}),
    "colours": (random_colours, {"appearance"}),
    "clothes": (random_clothes(REST), {"appearance"}),
}


def picture(scene: Scene) -> torch.Tensor:
    return scene(REST, Orbit(size=(24, 24))(torch.tensor([0.5])))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_its_seeds_and_leaves_the_rest(name: str) -> None:
    change, touched = CHANGES[name]
    before = picture(SCENE)
    first, again, other = (change(SCENE, seeded(seed, 0, name)) for seed in (3, 3, 4))
    assert torch.equal(picture(first), picture(again))
    assert not torch.allclose(picture(first), picture(other), atol=0.02)
    assert torch.equal(picture(SCENE), before), "the given scene is as it was"
    for field in dataclasses.fields(Scene):
        if field.name not in touched:
            assert getattr(first, field.name) is getattr(SCENE, field.name)


def test_changes_follow_one_another() -> None:
    generator, same = seeded(0), seeded(0)
    together = randomized(SCENE, (random_background, random_light), generator)
    one_by_one = random_light(random_background(SCENE, same), same)
    assert together.light == one_by_one.light and together.ground == one_by_one.ground
    assert randomized(SCENE, (), generator) is SCENE


@given(st.integers(0, 10_000))
def test_draws_stay_within_their_ranges(seed: int) -> None:
    scene = randomized(SCENE, (random_light, random_background), seeded(seed))
    x, y, z = scene.light.direction
    assert math.hypot(x, y, z) == pytest.approx(1)
    assert 20 <= math.degrees(math.asin(y)) <= 80 and 0.45 <= scene.light.ambient <= 0.8
    assert scene.ground is not None and scene.ground.checks is not None
    assert scene.ground.shadow == ContactShadow(0.4) and 0.25 <= scene.ground.checks.side <= 1
    assert all(0 <= share <= 1 for share in scene.ground.colour)
    assert isinstance(scene.background, Solid | Sky)


def test_both_kinds_of_background_are_drawn_and_light_comes_from_all_sides() -> None:
    scenes = [randomized(SCENE, (random_light, random_background), seeded(s)) for s in range(40)]
    skies = sum(isinstance(scene.background, Sky) for scene in scenes)
    assert 8 <= skies <= 32
    quarters = {(scene.light.direction[0] > 0, scene.light.direction[2] > 0) for scene in scenes}
    assert len(quarters) == 4


def test_what_has_no_light_colours_or_ground_stays_without() -> None:
    bare = Scene(CPU, NormalMap(), UNLIT, ground=None)
    changed = randomized(bare, (random_light, random_colours, random_background), seeded(0))
    assert changed.light is UNLIT and changed.appearance is bare.appearance
    assert changed.ground is None and changed.background != bare.background


def test_a_third_of_a_turn_of_hues_exchanges_the_channels() -> None:
    colours = torch.rand(10, 3, generator=seeded(0))
    third = 2 * math.pi / 3
    assert torch.allclose(turn_hues(colours, third), colours.roll(1, -1), atol=1e-6)
    assert torch.allclose(turn_hues(colours, 3 * third), colours, atol=1e-6)
    grey = torch.full((1, 3), 0.4)
    assert torch.allclose(turn_hues(grey, 1.0), grey, atol=1e-6)


@settings(max_examples=20)
@given(st.floats(0, 2 * math.pi))
def test_turned_limbs_are_still_told_apart(angle: float) -> None:
    palette = part_palette()
    turned = turn_hues(palette, angle)
    assert float(turned.min()) >= 0 and float(turned.max()) <= 1
    before, after = torch.cdist(palette, palette), torch.cdist(turned, turned)
    apart = before > 0.3
    # A turn alone keeps distances; what leaves the range of colours is cut off.
    assert int(apart.sum()) > 200 and float(after[apart].min()) > 0.1


def test_random_colours_come_from_the_given_palette() -> None:
    grey = PartColours(torch.full((23, 3), 0.5))
    changed = random_colours(dataclasses.replace(SCENE, appearance=grey), seeded(0))
    assert isinstance(changed.appearance, PartColours)
    assert torch.allclose(changed.appearance.palette, grey.palette, atol=1e-6)
