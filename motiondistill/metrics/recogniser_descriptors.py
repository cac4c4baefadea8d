"""What the action recogniser decides by: statistics of what arms, legs and trunk do in a window.

How high, how far ahead and how far out a hand or foot is, how bent and how fast a limb, how the
trunk leans and the body turns: curves over time, each told by its mean, spread, extremes, speed
and the strength of its slow, middle and fast parts, whenever in the window they come. The busier
or higher arm comes first, and so the leg: a motion and its mirror image have the same descriptors.
"""

import math
from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pad

from motiondistill.metrics.recogniser_features import PoseFeatures

Vectors = Float[Tensor, "*batch frames 3"]
Curves = Float[Tensor, "*batch _ frames"]

# In leg lengths, of a body like ours; the same for all, so that a motion of a child reads alike.
_THIGH, _SHIN, _UPPER_ARM, _FOREARM = 0.5, 0.5, 0.34, 0.31
_TRUNK, _HEAD, _HIPS, _SHOULDERS = 0.6, 0.3, 0.2, 0.45
# Cosines of half waves in a window, 1 to 12, in three bands: slow, middle and fast.
_BANDS: Final = ((1, 2), (3, 5), (6, 12))
_ARM_CURVES, _LEG_CURVES, _TRUNK_CURVES, _STATISTICS, _PAIRS = 10, 9, 17, 5 + len(_BANDS), 13
NUM_DESCRIPTORS: Final = (2 * (_ARM_CURVES + _LEG_CURVES) + _TRUNK_CURVES) * _STATISTICS + _PAIRS
# Places in the curves of an arm, a leg and the trunk.
_HEIGHT, _AHEAD, _OUTWARDS, _ARM_SPEED, _LEG_SPEED, _PELVIS, _FEET_APART = 0, 1, 2, 8, 7, 0, 13
_LEAST_SPREAD = 0.15  # below which two curves tell little by moving alike, leg lengths


class _Frame(NamedTuple):
    """Where hips or shoulders face in each frame, level unit vectors."""

    left: Vectors
    ahead: Vectors


def describe(features: PoseFeatures) -> Float[Tensor, "*batch descriptors"]:
    """Descriptors of windows: of what `PoseFeatures` holds, nothing more."""
    bones = features.directions.unbind(-2)
    left, right, (hips, shoulders, trunk, head) = bones[:4], bones[4:8], bones[8:]
    waist, chest = _facing(hips), _facing(shoulders)
    neck = features.root + _TRUNK * trunk
    top = neck + _HEAD * head
    arms, legs, wrists, ankles = [], [], [], []
    for sign, (thigh, shin, upper, fore) in ((1.0, left), (-1.0, right)):
        shoulder = neck + sign * _SHOULDERS / 2 * shoulders
        hip = features.root + sign * _HIPS / 2 * hips
        wrists.append(shoulder + _UPPER_ARM * upper + _FOREARM * fore)
        ankles.append(hip + _THIGH * thigh + _SHIN * shin)
        outwards = _Frame(sign * chest.left, chest.ahead)
        arms.append(_arm(wrists[-1], shoulder, top, (upper, fore), outwards))
        legs.append(_leg(ankles[-1], hip, (thigh, shin), _Frame(sign * waist.left, waist.ahead)))
    body = _body(features, wrists, ankles, waist)
    first, second = _ordered(arms[0], arms[1], _ARM_SPEED)
    curves = torch.cat([first, second, *_ordered(legs[0], legs[1], _LEG_SPEED), body], -2)
    pairs = torch.stack([*_sides(arms, legs), *_with_body((first, second), body)], -1)
    return torch.cat([_statistics(curves).flatten(-2), pairs], -1)


def _arm(
    wrist: Vectors, shoulder: Vectors, head: Vectors, bones: tuple[Vectors, Vectors], side: _Frame
) -> Curves:
    """`_ARM_CURVES` curves of an arm; `side.left` points away from the body."""
    upper, fore = bones
    reach, from_head = wrist - shoulder, wrist - head
    return torch.stack(
        [
            reach[..., 1],
            _dot(reach, side.ahead),
            _dot(reach, side.left),
            reach.norm(dim=-1),
            from_head.norm(dim=-1),
            from_head[..., 1],
            upper[..., 1],
            _dot(upper, fore),
            _steps(reach).norm(dim=-1),
            wrist[..., 1],
        ],
        -2,
    )


def _leg(ankle: Vectors, hip: Vectors, bones: tuple[Vectors, Vectors], side: _Frame) -> Curves:
    """`_LEG_CURVES` curves of a leg; `side.left` points away from the body."""
    thigh, shin = bones
    reach = ankle - hip
    return torch.stack(
        [
            ankle[..., 1],
            _dot(reach, side.ahead),
            _dot(reach, side.left),
            thigh[..., 1],
            shin[..., 1],
            _dot(thigh, shin),
            _dot(thigh, side.ahead),
            _steps(reach).norm(dim=-1),
            reach[..., 1],
        ],
        -2,
    )


def _body(
    features: PoseFeatures, wrists: list[Vectors], ankles: list[Vectors], waist: _Frame
) -> Curves:
    """`_TRUNK_CURVES` curves of the pelvis, the trunk, and what hands and feet do together."""
    hips, shoulders, trunk, head = features.directions[..., 8:, :].unbind(-2)
    moves = _steps(features.root)
    # The sine of the angle by which the hips turned since the frame before.
    turned = pad((waist.left[..., 1:, :] * waist.ahead[..., :-1, :]).sum(-1), (1, 0))
    heights = [ankle[..., 1] for ankle in ankles]
    above = [wrist[..., 1] - foot for wrist, foot in zip(wrists, heights, strict=True)]
    return torch.stack(
        [
            features.root[..., 1],
            moves[..., 1],
            moves[..., [0, 2]].norm(dim=-1),
            trunk[..., 1],
            _dot(trunk, waist.ahead),
            _dot(trunk, waist.left).abs(),
            _dot(head, waist.ahead),
            head[..., 1],
            _dot(shoulders, waist.ahead).abs(),
            hips[..., 1].abs(),
            shoulders[..., 1].abs(),
            turned.abs(),
            (wrists[0] - wrists[1]).norm(dim=-1),
            (ankles[0] - ankles[1]).norm(dim=-1),
            torch.minimum(*heights),
            torch.maximum(*heights),
            torch.minimum(*above),
        ],
        -2,
    )


def _statistics(curves: Curves) -> Float[Tensor, "*batch statistics curves"]:
    """Mean, spread, second lowest and second highest value, speed, and the strength of bands."""
    frames = curves.shape[-1]
    mean = curves.mean(-1)
    ordered = curves.sort(-1).values
    power = ((curves - mean[..., None]) @ _half_waves(frames).to(curves).T).square()
    bands = [power[..., low - 1 : high].sum(-1).clamp(min=1e-6).sqrt() for low, high in _BANDS]
    speed = curves.diff(dim=-1).abs().mean(-1)
    found = [mean, curves.std(-1), ordered[..., 1], ordered[..., -2], speed, *bands]
    return torch.stack(found, -2)


def _half_waves(frames: int) -> Float[Tensor, "waves frames"]:
    """Orthonormal cosines (DCT-II) with 1 to 12 half waves in the window."""
    waves = torch.arange(1, _BANDS[-1][1] + 1)[:, None]
    times = (torch.arange(frames) + 0.5) / frames
    return torch.cos(math.pi * waves * times) * math.sqrt(2 / frames)


def _sides(arms: list[Curves], legs: list[Curves]) -> list[Float[Tensor, "*batch"]]:
    """How alike left and right move, and each arm with the other side's leg."""
    alike = [_together(legs[0], legs[1], curve, curve) for curve in (0, 1, 2, 3, 5)]
    alike += [_together(arms[0], arms[1], curve, curve) for curve in (_HEIGHT, _AHEAD, _OUTWARDS)]
    crossed = _together(legs[0], arms[1], _AHEAD, _AHEAD)
    return [*alike, crossed + _together(legs[1], arms[0], _AHEAD, _AHEAD)]


def _with_body(arms: tuple[Curves, Curves], body: Curves) -> list[Float[Tensor, "*batch"]]:
    """How the hands rise with the pelvis, and as the feet part."""
    return [_together(body, arm, at, _HEIGHT) for at in (_PELVIS, _FEET_APART) for arm in arms]


def _together(one: Curves, other: Curves, curve: int, other_curve: int) -> Float[Tensor, "*batch"]:
    """Correlation of two curves, drawn to 0 where they hardly move."""
    a, b = (_centred(curves[..., at, :]) for curves, at in ((one, curve), (other, other_curve)))
    norms: Tensor = a.norm(dim=-1) * b.norm(dim=-1)
    return (a * b).sum(-1) / (norms + _LEAST_SPREAD)


def _ordered(left: Curves, right: Curves, speed: int) -> tuple[Curves, Curves]:
    """The limbs, the one that is higher and faster first."""
    weights = torch.tensor([1.0, 3.0]).to(left)
    keys = [limb[..., [_HEIGHT, speed], :].mean(-1) @ weights for limb in (left, right)]
    turned = (keys[1] > keys[0])[..., None, None]
    return torch.where(turned, right, left), torch.where(turned, left, right)


def _facing(across: Vectors) -> _Frame:
    """Of a line from right to left."""
    x, _, z = across.unbind(-1)
    left = normalize(torch.stack([x, torch.zeros_like(x), z], -1), dim=-1)
    return _Frame(left, torch.stack([-left[..., 2], torch.zeros_like(x), left[..., 0]], -1))


def _steps(path: Vectors) -> Vectors:
    """The change from the frame before, none at the first."""
    return pad(path.diff(dim=-2), (0, 0, 1, 0))


def _centred(curve: Float[Tensor, "*batch frames"]) -> Float[Tensor, "*batch frames"]:
    return curve - curve.mean(-1, keepdim=True)


def _dot(a: Vectors, b: Vectors) -> Float[Tensor, "*batch frames"]:
    return (a * b).sum(-1)
