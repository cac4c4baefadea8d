"""Look-ups in textures: closed forms, torch's own sampler as an oracle, finite differences."""

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from solids import random_scene, relative
from torch import Tensor

from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.render.reference import ReferenceRasterizer

FLOAT64 = 1e-10
CPU, REFERENCE = CpuRasterizer(), ReferenceRasterizer()
both = pytest.mark.parametrize("rasterizer", [CPU, REFERENCE], ids=["cpu", "reference"])
boundaries = pytest.mark.parametrize("boundary", ["wrap", "clamp"])

Boundary = Literal["wrap", "clamp"]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def centers(rows: int, columns: int) -> Tensor:
    """uv of every texel's centre [1 rows columns 2]."""
    v, u = torch.meshgrid(
        (torch.arange(rows).double() + 0.5) / rows,
        (torch.arange(columns).double() + 0.5) / columns,
        indexing="ij",
    )
    return torch.stack([u, v], -1)[None]


@both
@boundaries
def test_texels_are_met_at_their_centres(rasterizer: Rasterizer, boundary: Boundary) -> None:
    tex = random(1, 3, 5, 2)
    assert (rasterizer.texture(tex, centers(3, 5), boundary) - tex).abs().max() < FLOAT64


@both
def test_between_centres_values_are_mixed(rasterizer: Rasterizer) -> None:
    tex = torch.tensor([[[[0.0], [4.0]], [[8.0], [20.0]]]])
    places = torch.tensor([[[[0.25 + 0.125, 0.25], [0.25, 0.25 + 0.25], [0.5, 0.5]]]])
    assert rasterizer.texture(tex, places).flatten().tolist() == [1.0, 4.0, 8.0]


@both
def test_beyond_the_image_it_repeats_or_stays(rasterizer: Rasterizer) -> None:
    tex = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 4, 1)
    u = torch.tensor([-0.125, 0.0, 1.0, 1.125, 2.125, -2.125, 40.375])
    places = torch.stack([u, torch.full_like(u, -7.0)], -1).view(1, 1, -1, 2)
    wrapped = rasterizer.texture(tex, places, "wrap").flatten().tolist()
    assert wrapped == [4.0, 2.5, 2.5, 1.0, 1.0, 4.0, 2.0]
    clamped = rasterizer.texture(tex, places, "clamp").flatten().tolist()
    assert clamped == [1.0, 1.0, 4.0, 4.0, 4.0, 1.0, 4.0]


@both
@pytest.mark.parametrize("batch", [1, 3])
def test_clamping_agrees_with_torch_s_sampler(rasterizer: Rasterizer, batch: int) -> None:
    tex, uv = random(batch, 5, 7, 2), random(3, 6, 4, 2, seed=1) * 3 - 1
    expected = torch.nn.functional.grid_sample(
        tex.permute(0, 3, 1, 2).expand(3, -1, -1, -1),
        uv * 2 - 1,
        padding_mode="border",
        align_corners=False,
    )
    found = rasterizer.texture(tex, uv, "clamp")
    assert (found - expected.permute(0, 2, 3, 1)).abs().max() < FLOAT64


@both
@given(turns=st.tuples(st.integers(-9, 9), st.integers(-9, 9)), seed=st.integers(0, 99))
def test_wrapping_is_periodic(rasterizer: Rasterizer, turns: tuple[int, int], seed: int) -> None:
    tex, uv = random(1, 4, 3, 2, seed=seed), random(2, 3, 5, 2, seed=seed + 1)
    moved = uv + torch.tensor(turns)
    # Inside, a texture repeated by hand is the same.
    tiled = tex.repeat(1, 3, 3, 1)
    for value in (
        rasterizer.texture(tex, moved),
        rasterizer.texture(tiled, (uv + 1) / 3, "clamp"),
    ):
        assert (value - rasterizer.texture(tex, uv)).abs().max() < FLOAT64


@both
@boundaries
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [(4, 3), (1, 3), (1, 1)])
def test_gradients_against_finite_differences(
    rasterizer: Rasterizer, boundary: Boundary, batch: int, size: tuple[int, int]
) -> None:
    tex, uv = random(batch, *size, 2).requires_grad_(), random(2, 3, 4, 2, seed=1) * 3 - 1
    near = (uv * torch.tensor([size[1], size[0]]) - 0.5).frac().abs()
    assert ((near > 1e-4) & (near < 1 - 1e-4)).all(), "bilinear look-ups bend at the centres"
    assert torch.autograd.gradcheck(
        lambda tex, uv: rasterizer.texture(tex, uv, boundary), (tex, uv.requires_grad_())
    )


@boundaries
@pytest.mark.parametrize("batch", [1, 2])
def test_cpu_agrees_with_the_reference(boundary: Boundary, batch: int) -> None:
    pos, tri, places = random_scene(3, torch.float64)
    tex = random(batch, 16, 9, 3)
    results = []
    for rasterizer in (CPU, REFERENCE):
        inputs = [x.clone().requires_grad_() for x in (pos, places[..., :2] * 4 - 1, tex)]
        rast = rasterizer.rasterize(inputs[0], tri, (24, 32))
        uv = rasterizer.interpolate(inputs[1], rast, tri)
        image = rasterizer.texture(inputs[2], uv, boundary)
        results.append([image, *torch.autograd.grad(image.square().sum(), inputs)])
    for value, expected in zip(*results, strict=True):
        assert relative(value, expected) < FLOAT64


def test_a_constant_texture_needs_no_gradient() -> None:
    uv = random(1, 2, 2, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(CPU.texture(random(1, 4, 4, 1), uv).sum(), uv)
    assert gradient.abs().max() > 0
