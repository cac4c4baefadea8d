import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from motiondistill import rotations

SHAPES = [(), (1,), (2, 3)]
# Float64 products of a few 3x3 matrices; the Taylor series leave out terms of 1e-14.
TOLERANCE = 1e-12
# At half turns the quaternion's w is a difference of two ones, so angles lose half of the digits.
HALF_TURN_TOLERANCE = 1e-7
# Zero, both sides of where the series take over, ordinary angles, and up to the half turn.
ANGLES = (0.0, 1e-9, 9.99e-4, 1.001e-3, 2.1e-3, 0.5, 2.0, 3.0, math.pi - 1e-3)


def vectors(shape: tuple[int, ...], size: int = 3) -> st.SearchStrategy[Tensor]:
    """Vectors that may be tiny, long, or zero."""
    numbers = st.floats(-6, 6, allow_subnormal=False)
    return arrays.arrays(np.float64, (*shape, size), elements=numbers).map(torch.from_numpy)


def unit_vectors() -> Tensor:
    """The axes, diagonals, and some directions of no symmetry."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)] * 3)
    every = torch.cat([signs[signs.abs().sum(-1) > 0], drawn])
    return every / every.norm(dim=-1, keepdim=True)


def close(a: Tensor, b: Tensor, tolerance: float = TOLERANCE) -> bool:
    return torch.allclose(a, b, rtol=0, atol=tolerance)


def assert_rotations(matrix: Tensor) -> None:
    eye = torch.eye(3, dtype=matrix.dtype).expand_as(matrix)
    assert close(matrix @ matrix.transpose(-1, -2), eye)
    assert close(torch.linalg.det(matrix), torch.ones(matrix.shape[:-2], dtype=matrix.dtype))


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_axis_angle_gives_rotations_of_the_same_angle(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    vector = data.draw(vectors(shape))
    matrix = rotations.from_axis_angle(vector)
    assert matrix.shape == (*shape, 3, 3)
    assert_rotations(matrix)
    assert close(matrix @ vector[..., None], vector[..., None], 1e-11)  # the axis stays
    trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert close(trace, 1 + 2 * vector.norm(dim=-1).cos())


@pytest.mark.parametrize("angle", [*ANGLES, math.pi])
def test_axis_angle_is_the_exponential_of_its_skew_matrix(angle: float) -> None:
    vector = angle * unit_vectors()
    expected = torch.linalg.matrix_exp(rotations.skew(vector))
    # Some roundings of float64, less than the last term of the series near zero.
    assert close(rotations.from_axis_angle(vector), expected, 1e-14)


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_angle_round_trip(angle: float) -> None:
    vector = angle * unit_vectors()
    assert close(rotations.to_axis_angle(rotations.from_axis_angle(vector)), vector, 1e-11)
    single = vector.float()
    back = rotations.to_axis_angle(rotations.from_axis_angle(single))
    # Float32; close to the half turn its sine is known to a millionth.
    assert close(back, single, 1e-5)


def test_half_turns_round_trip_up_to_the_sign_of_the_axis() -> None:
    matrix = rotations.from_axis_angle(math.pi * unit_vectors())
    vector = rotations.to_axis_angle(matrix)
    assert close(vector.norm(dim=-1), torch.full_like(vector[..., 0], math.pi), HALF_TURN_TOLERANCE)
    assert close(rotations.from_axis_angle(vector), matrix, HALF_TURN_TOLERANCE)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_quaternions_hold_half_the_angle(shape: tuple[int, ...], data: st.DataObject) -> None:
    vector = data.draw(vectors(shape))
    quaternion = rotations.to_quaternion(rotations.from_axis_angle(vector))
    half = vector.norm(dim=-1, keepdim=True) / 2
    expected = torch.cat([half.cos(), torch.sinc(half / math.pi) * vector / 2], -1)
    assert bool((quaternion[..., 0] >= 0).all())
    # q and -q are the same rotation, so their agreement is the size of the product.
    assert close((quaternion * expected).sum(-1).abs(), torch.ones(shape, dtype=torch.float64))


def test_quaternions_of_half_turns_are_their_axes() -> None:
    quaternion = rotations.to_quaternion(torch.diag_embed(2 * torch.eye(3) - 1))
    assert torch.equal(quaternion, torch.cat([torch.zeros(3, 1), torch.eye(3)], 1))


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_6d_round_trip(shape: tuple[int, ...], data: st.DataObject) -> None:
    matrix = rotations.from_axis_angle(data.draw(vectors(shape)))
    columns = rotations.to_6d(matrix)
    assert columns.shape == (*shape, 6)
    assert close(rotations.from_6d(columns), matrix)


@given(scale=st.floats(0.1, 10), shear=st.floats(-5, 5), vector=vectors(()))
def test_6d_reads_directions_alone(scale: float, shear: float, vector: Tensor) -> None:
    matrix = rotations.from_axis_angle(vector)
    first, second = matrix[:, 0], matrix[:, 1]
    columns = torch.cat([scale * first, second / scale + shear * first])
    assert_rotations(rotations.from_6d(columns))
    assert close(rotations.from_6d(columns), matrix, 1e-11)


@given(a=vectors((4,)), b=vectors((4,)))
def test_the_squared_angle_is_that_of_the_geodesic(a: Tensor, b: Tensor) -> None:
    first, second = rotations.from_axis_angle(a), rotations.from_axis_angle(b)
    expected = rotations.geodesic(first, second).square()
    assert close(rotations.squared_angle(first, second), expected, 1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 9e-4, 1.1e-3, 0.3, 3.0])
def test_gradients_are_those_of_finite_differences(angle: float) -> None:
    vector = angle * unit_vectors()[::5]
    assert torch.autograd.gradcheck(rotations.from_axis_angle, vector.requires_grad_())


def test_the_round_trip_has_the_identity_as_its_derivative_at_rest() -> None:
    def round_trip(vector: Tensor) -> Tensor:
        return rotations.to_axis_angle(rotations.from_axis_angle(vector))

    for vector in (torch.zeros(3), torch.tensor([0.0, 1e-4, 0.0]), torch.tensor([2.0, 0.0, 0.0])):
        jacobian = torch.autograd.functional.jacobian(round_trip, vector.double())
        # The angle's own series stops at the fourth power of 1e-4.
        assert close(jacobian, torch.eye(3, dtype=torch.float64), 1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_geodesic_is_the_angle_of_the_relative_rotation(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    a = rotations.from_axis_angle(data.draw(vectors(shape)))
    b = rotations.from_axis_angle(data.draw(vectors(shape)))
    distance = rotations.geodesic(a, b)
    relative = rotations.to_axis_angle(a.transpose(-1, -2) @ b)
    assert close(distance, relative.norm(dim=-1), HALF_TURN_TOLERANCE)
    assert close(distance, rotations.geodesic(b, a), HALF_TURN_TOLERANCE)
    assert close(distance, rotations.geodesic(b @ a, b @ b), HALF_TURN_TOLERANCE)


@pytest.mark.parametrize("angle", [*ANGLES, math.pi])
def test_geodesic_from_rest_is_the_norm_of_the_axis_angle(angle: float) -> None:
    matrix = rotations.from_axis_angle(angle * unit_vectors())
    expected = torch.full((len(matrix),), angle, dtype=torch.float64)
    distance = rotations.geodesic(rotations.identity(len(matrix)).double(), matrix)
    assert close(distance, expected, HALF_TURN_TOLERANCE)


def test_between_swings_without_twist() -> None:
    directions = unit_vectors()
    pairs = torch.cartesian_prod(*[torch.arange(len(directions))] * 2)
    source, target = 2.0 * directions[pairs[:, 0]], 0.3 * directions[pairs[:, 1]]
    swing = rotations.between(source, target)
    assert_rotations(swing)
    a, b = 0.5 * source, target / 0.3
    assert close((swing @ a[..., None]).squeeze(-1), b)
    angle = torch.atan2(torch.cross(a, b, dim=-1).norm(dim=-1), (a * b).sum(-1))
    eye = rotations.identity(len(swing)).double()
    assert close(rotations.geodesic(eye, swing), angle, HALF_TURN_TOLERANCE)
    axis = rotations.to_axis_angle(swing)
    assert close((axis * a).sum(-1), torch.zeros(len(a), dtype=a.dtype), HALF_TURN_TOLERANCE)


@pytest.mark.parametrize("shape", SHAPES)
def test_between_keeps_the_batch_and_turns_half_for_opposites(shape: tuple[int, ...]) -> None:
    source = torch.tensor([1.0, -2.0, 0.5]).expand(*shape, 3)
    half_turn = rotations.between(source, -source)
    assert half_turn.shape == (*shape, 3, 3)
    # Float32: a unit vector there and back.
    assert close((half_turn @ source[..., None]).squeeze(-1), -source, 1e-6)
    assert close(half_turn @ half_turn, torch.eye(3).expand(*shape, 3, 3), 1e-6)
    assert close(rotations.between(source, source), torch.eye(3).expand(*shape, 3, 3), 1e-6)


@given(vector=vectors((2,)), other=vectors((2,)))
def test_skew_is_the_cross_product(vector: Tensor, other: Tensor) -> None:
    product = (rotations.skew(vector) @ other[..., None]).squeeze(-1)
    assert close(product, torch.cross(vector, other, dim=-1))


@pytest.mark.parametrize("shape", SHAPES)
def test_about_y_turns_forwards_to_the_left(shape: tuple[int, ...]) -> None:
    turn = rotations.about_y(torch.full(shape, math.pi / 2, dtype=torch.float64))
    forwards, left = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    assert close(turn @ forwards, left.expand(*shape, 3))


@pytest.mark.parametrize("shape", SHAPES)
def test_identity_has_the_batch_shape(shape: tuple[int, ...]) -> None:
    assert torch.equal(rotations.identity(*shape), torch.eye(3).expand(*shape, 3, 3))
