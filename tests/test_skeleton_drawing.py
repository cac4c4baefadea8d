"""Skeletons are drawn with OpenPose's points, colours and proportions, differentiably."""

import math

import pytest
import torch
from openpose import POINT, colour
from torch import Tensor

from motiondistill.randomness import seeded
from motiondistill.render.skeleton_map import (
    COLOURS,
    KEY_POINTS,
    LIMB_BRIGHTNESS,
    LIMBS,
    draw_skeletons,
)


def alone(*points: tuple[int, tuple[float, float]]) -> tuple[Tensor, Tensor]:
    pixels, visible = torch.zeros(1, 18, 2), torch.zeros(1, 18, dtype=torch.bool)
    for index, place in points:
        pixels[0, index], visible[0, index] = torch.tensor(place), True
    return pixels, visible


def test_the_points_are_in_openposes_order() -> None:
    order = "nose neck r_sho r_elb r_wri l_sho l_elb l_wri r_hip r_kne r_ank l_hip l_kne l_ank "
    order += "r_eye l_eye r_ear l_ear"
    assert [
        name if "_" not in name else f"{name[0]}_{name.split('_')[1][:3]}" for name in KEY_POINTS
    ] == order.split()
    # The published table, one-based, without the two lines from shoulders to ears.
    published = "2-3 2-6 3-4 4-5 6-7 7-8 2-9 9-10 10-11 2-12 12-13 13-14 2-1 1-15 15-17 1-16 16-18"
    assert " ".join(f"{a + 1}-{b + 1}" for a, b in LIMBS) == published


def test_the_colours_go_once_round_the_hues() -> None:
    import colorsys

    hues = [colorsys.rgb_to_hsv(*(value / 255 for value in rgb)) for rgb in COLOURS]
    for index, (hue, saturation, brightness) in enumerate(hues):
        assert hue == pytest.approx(index / 18, abs=0.002)
        assert (saturation, brightness) == (1, 1)


def test_a_limb_is_an_ellipse_under_its_points() -> None:
    # The upper arm alone, its ends drawn as discs.
    start, end, stick = POINT["right_shoulder"], POINT["right_elbow"], 4.0
    pixels, visible = alone((start, (20.0, 30.0)), (end, (80.0, 30.0)))
    image = draw_skeletons(pixels, visible, (60, 100), stick=stick)[0]
    limb = LIMBS.index((start, end))
    middle = LIMB_BRIGHTNESS * torch.tensor(COLOURS[limb]) / 255
    assert torch.allclose(image[:, 30, 50], middle, atol=1e-6)
    assert torch.allclose(image[:, 30, 20], colour("right_shoulder"))
    assert torch.allclose(image[:, 30, 80], colour("right_elbow"))
    between = torch.ones(100, dtype=torch.bool)
    between[14:27] = between[74:87] = False
    area = float((image[:, :, between].sum((0, 1)) / middle.sum()).sum())
    # The ellipse's area between the discs: its height is 2 b sqrt(1 - (x / a)^2).
    x = torch.arange(100)[between] + 0.5 - 50
    height = 2 * stick * (1 - (x / 30).square()).clamp(min=0).sqrt()
    assert area == pytest.approx(float(height.sum()), rel=0.02)


@pytest.mark.parametrize("stick", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("place", [(25.0, 20.0), (24.7, 20.31)])
def test_a_point_is_a_disc(stick: float, place: tuple[float, float]) -> None:
    pixels, visible = alone((POINT["nose"], place))
    image = draw_skeletons(pixels, visible, (40, 50), stick=stick)[0]
    red = image[0]
    assert not bool(image[1:].any())  # the nose is pure red
    assert float(red.sum()) == pytest.approx(math.pi * stick**2, rel=0.12)
    rows, columns = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(50) + 0.5, indexing="ij")
    centre = [float((red * axis).sum() / red.sum()) for axis in (columns, rows)]
    assert centre == pytest.approx(place, abs=0.05)


def test_later_limbs_cover_earlier_ones_and_are_not_mixed() -> None:
    pixels, visible = alone(
        (POINT["right_shoulder"], (10.0, 30.0)),
        (POINT["right_elbow"], (50.0, 30.0)),
        (POINT["left_knee"], (30.0, 10.0)),
        (POINT["left_ankle"], (30.0, 50.0)),
    )
    image = draw_skeletons(pixels, visible, (60, 60), stick=4.0)[0]
    shin = COLOURS[LIMBS.index((POINT["left_knee"], POINT["left_ankle"]))]
    assert torch.allclose(image[:, 30, 30], LIMB_BRIGHTNESS * torch.tensor(shin) / 255, atol=1e-6)


def test_nothing_is_drawn_of_what_is_not_visible() -> None:
    pixels = torch.rand(2, 18, 2, generator=seeded(0)) * 30
    none = torch.zeros(2, 18, dtype=torch.bool)
    assert not bool(draw_skeletons(pixels, none, (30, 30), stick=2.0).any())
    # A limb needs both of its ends.
    one = none.clone()
    one[:, POINT["left_hip"]] = True
    image = draw_skeletons(pixels, one, (30, 30), stick=2.0)
    assert torch.allclose(
        image / image.amax(1, keepdim=True).clamp(min=1e-9) * image.any(1, keepdim=True),
        colour("left_hip")[:, None, None] * image.any(1, keepdim=True),
        atol=1e-4,
    )


def test_limbs_seen_end_on_stay_points() -> None:
    # Both ends in one place: no direction, and nothing must spread or turn into NaN.
    pixels, visible = alone((POINT["neck"], (15.0, 15.0)), (POINT["nose"], (15.0, 15.0)))
    leaf = pixels.requires_grad_()
    image = draw_skeletons(leaf, visible, (30, 30), stick=3.0)
    image.square().sum().backward()
    image = image.detach()[0]
    assert not bool(image[:, :10].any()) and float(image[:, 15, 15].max()) == 1
    assert leaf.grad is not None and bool(leaf.grad.isfinite().all())


@pytest.mark.parametrize("stick", [0.8, 1.7])
def test_gradients_match_finite_differences(stick: float) -> None:
    generator = seeded(4)
    pixels = torch.rand(1, 18, 2, generator=generator, dtype=torch.float64) * 20 + 2
    weight = torch.rand(1, 3, 24, 24, generator=generator, dtype=torch.float64)
    visible = torch.ones(1, 18, dtype=torch.bool)

    def total(at: Tensor) -> Tensor:
        return (weight * draw_skeletons(at, visible, (24, 24), stick=stick)).sum()

    total(pixels.requires_grad_()).backward()
    for _ in range(5):
        way = torch.randn(1, 18, 2, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            step = 1e-6 * way
            expected = float(total(pixels + step) - total(pixels - step)) / 2e-6
        assert float((pixels.grad * way).sum()) == pytest.approx(expected, rel=1e-4)
