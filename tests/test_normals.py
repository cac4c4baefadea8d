"""Normals at vertices: kernels against their twin in torch, closed forms, finite differences."""

import math

import pytest
import torch
from globe import globe
from hypothesis import given
from hypothesis import strategies as st
from solids import octahedron
from torch import Tensor

from motiondistill.render.shading import (
    area_vectors,
    area_vectors_of_any_device,
    vertex_normals,
    vertex_normals_of_any_device,
)

SINGLE, DOUBLE = 1e-5, 1e-12
TWINS = [
    pytest.param(area_vectors, area_vectors_of_any_device, id="area vectors"),
    pytest.param(vertex_normals, vertex_normals_of_any_device, id="normals"),
]


def soup(seed: int, *batch: int) -> tuple[Tensor, Tensor]:
    """Random triangles over random vertices, some of which belong to none."""
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.randn(*batch, 12, 3, generator=generator, dtype=torch.float64)
    return vertices, torch.rand(15, 10, generator=generator).argsort(1)[:, :3]


@pytest.mark.parametrize(("fast", "slow"), TWINS)
@given(seed=st.integers(0, 1000), batch=st.sampled_from([(), (1,), (3,), (2, 3)]))
def test_kernels_agree_with_torch(fast, slow, seed, batch):
    vertices, faces = soup(seed, *batch)
    vertices.requires_grad_()
    found, expected = fast(vertices, faces), slow(vertices, faces)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).double()
    gradients = [torch.autograd.grad((weights * x).sum(), vertices)[0] for x in (found, expected)]
    assert torch.allclose(found, expected, rtol=DOUBLE, atol=DOUBLE)
    # Where areas nearly cancel, directions turn quickly: rounding grows as gradients do.
    assert (gradients[0] - gradients[1]).abs().max() < 1e-9 * gradients[1].abs().max().clamp(min=1)


@pytest.mark.parametrize(("fast", "_slow"), TWINS)
def test_gradients_against_finite_differences(fast, _slow):
    vertices, faces = octahedron()
    generator = torch.Generator().manual_seed(0)
    vertices = vertices + 0.2 * torch.randn(vertices.shape, generator=generator).double()
    assert torch.autograd.gradcheck(lambda x: fast(x, faces), vertices.requires_grad_())


def test_the_globe_s_normals_point_away_from_its_centre():
    mesh = globe()
    outwards = mesh.vertices - mesh.vertices.mean(-2, keepdim=True)
    outwards = outwards / outwards.norm(dim=-1, keepdim=True)
    assert (vertex_normals(mesh.vertices, mesh.faces) * outwards).sum(-1).min() > 0.99


def test_area_vectors_of_a_closed_surface_sum_to_zero_and_their_lengths_to_its_area():
    mesh = globe()
    sums = area_vectors(mesh.vertices, mesh.faces)
    assert sums.sum(-2).abs().max() < SINGLE
    # Of doubled areas, which three corners share. The sphere's radius is half a metre.
    assert sums.norm(dim=-1).sum().item() / 6 == pytest.approx(math.pi, rel=0.02)


def test_vertices_without_a_surface_have_no_normal_and_no_gradient():
    vertices = torch.rand(4, 3, requires_grad=True)
    # A triangle of no area, and a vertex that none has.
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 1]]))
    assert torch.equal(normals, torch.zeros(4, 3))
    (gradient,) = torch.autograd.grad(normals.sum(), vertices)
    assert gradient.isfinite().all()


def test_meshes_in_any_memory_order():
    vertices, faces = soup(0, 2, 3)
    shuffled = vertices.transpose(0, 1).contiguous().transpose(0, 1)
    assert not shuffled.is_contiguous()
    assert torch.equal(vertex_normals(shuffled, faces), vertex_normals(vertices, faces))
