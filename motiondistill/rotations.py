"""Rotations as matrices, and the two other forms that exist at the edges.

These are 6D (fields) and axis-angle (files, limits). Matrices act on column vectors: `y = R @ x`.
Angles are radians.
"""

import torch
from jaxtyping import Float
from torch import Tensor

# Below this angle the closed forms divide by almost zero, so their Taylor series take over.
_SMALL_ANGLE = 1e-3


def identity(*batch: int) -> Float[Tensor, "*batch 3 3"]:
    """Identity rotations of the given batch shape."""
    return torch.eye(3).expand(*batch, 3, 3)


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrices K with `K @ x = vector x x` (the cross product)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)


def from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of axis-angle vectors (Rodrigues' formula), smooth at zero.

    `R = I + sin(a)/a K + (1 - cos(a))/a^2 K^2` with K the skew matrix of the vector.
    """
    squared = axis_angle.square().sum(-1)[..., None, None]
    small = squared < _SMALL_ANGLE**2
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - squared / 24, (1 - angle.cos()) / safe)
    k = skew(axis_angle)
    eye = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return eye + sine * k + cosine * (k @ k)


def to_quaternion(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternions (w, x, y, z), w >= 0.

    All four square-root candidates (Shepperd 1978) are computed and the best conditioned is taken,
    so the result is exact at every angle, 180 degrees included.
    """
    m = matrix
    t0, t1, t2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squared = torch.stack(
        [1 + t0 + t1 + t2, 1 + t0 - t1 - t2, 1 - t0 + t1 - t2, 1 - t0 - t1 + t2], -1
    )
    wx, wy, wz = (
        m[..., 2, 1] - m[..., 1, 2],
        m[..., 0, 2] - m[..., 2, 0],
        m[..., 1, 0] - m[..., 0, 1],
    )
    xy, xz, yz = (
        m[..., 0, 1] + m[..., 1, 0],
        m[..., 0, 2] + m[..., 2, 0],
        m[..., 1, 2] + m[..., 2, 1],
    )
    # Row k holds 4 q_k (w, x, y, z); the row of the largest component is the stable one.
    rows = torch.stack(
        [
            torch.stack([squared[..., 0], wx, wy, wz], -1),
            torch.stack([wx, squared[..., 1], xy, xz], -1),
            torch.stack([wy, xy, squared[..., 2], yz], -1),
            torch.stack([wz, xz, yz, squared[..., 3]], -1),
        ],
        -2,
    )
    best = squared.argmax(-1)[..., None, None].expand(*squared.shape[:-1], 1, 4)
    quaternion = torch.nn.functional.normalize(rows.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis-angle vectors with angle in [0, pi]."""
    quaternion = to_quaternion(matrix)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    squared = vector.square().sum(-1, keepdim=True)
    small = squared < _SMALL_ANGLE**2
    sine = torch.where(small, torch.ones_like(squared), squared).sqrt()
    scale = torch.where(small, 2 + squared / 3, 2 * torch.atan2(sine, w) / sine)
    return scale * vector


def from_6d(columns: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices whose first two columns are the Gram-Schmidt of the input.

    Zhou et al. 2019, Eq. 15.
    """
    first, second = columns[..., :3], columns[..., 3:]
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.cross(x, y, dim=-1)], -1)


def to_6d(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns, one after the other."""
    return torch.cat([matrix[..., 0], matrix[..., 1]], -1)


def geodesic(
    a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch"]:
    """Angle between two rotations, in [0, pi].

    Not differentiable at 0 and pi.
    """
    relative = a.transpose(-1, -2) @ b
    sine = torch.stack(
        [
            relative[..., 2, 1] - relative[..., 1, 2],
            relative[..., 0, 2] - relative[..., 2, 0],
            relative[..., 1, 0] - relative[..., 0, 1],
        ],
        -1,
    ).norm(dim=-1)
    cosine = relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1
    return torch.atan2(sine, cosine)


def squared_angle(
    a: Float[Tensor, "*#batch 3 3"], b: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "..."]:
    """The square of the angle between two rotations, rad^2; smooth, but at half turns.

    Broadcasts.
    """
    return to_axis_angle(a.transpose(-1, -2) @ b).square().sum(-1)


def nearest(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation nearest to a matrix by the Frobenius norm: `U diag(1, 1, det(U V^T)) V^T`.

    Of a mean of rotations it is their chordal mean (Hartley et al. 2013). Not unique where several
    are as near, as for the mean of two opposite half turns; not differentiable there.
    """
    left, _, right = torch.linalg.svd(matrix)
    signs = torch.ones_like(left[..., 0])
    signs[..., 2] = torch.linalg.det(left @ right)
    rotation: Tensor = (left * signs[..., None, :]) @ right
    return rotation


def between(
    source: Float[Tensor, "*batch 3"], target: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """The smallest rotations that take the direction of `source` to that of `target`.

    Swing without twist. For opposite directions any perpendicular axis would do; one is chosen
    deterministically.
    """
    a = torch.nn.functional.normalize(source, dim=-1)
    b = torch.nn.functional.normalize(target, dim=-1)
    axis = torch.cross(a, b, dim=-1)
    cosine = (a * b).sum(-1)[..., None, None]
    opposite = cosine < -1 + 1e-6
    k = skew(axis)
    eye = torch.eye(3, dtype=a.dtype, device=a.device)
    swing = eye + k + k @ k / torch.where(opposite, torch.ones_like(cosine), 1 + cosine)
    # A half turn about any axis perpendicular to `a`: 2 n n^T - I.
    helper = torch.nn.functional.one_hot(a.abs().argmin(-1), 3).to(a.dtype)
    normal = torch.nn.functional.normalize(torch.cross(a, helper, dim=-1), dim=-1)
    half_turn = 2 * normal[..., :, None] * normal[..., None, :] - eye
    return torch.where(opposite, half_turn, swing)


def about_y(angle: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations about the vertical +Y axis.

    A positive angle turns +Z towards +X (the subject turns to its left).
    """
    zero = torch.zeros_like(angle)
    return from_axis_angle(torch.stack([zero, angle, zero], -1))
