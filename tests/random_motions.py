"""Motions that nobody would make: every joint turned anyhow, the pelvis anywhere."""

import dataclasses
from typing import Any

import torch

from motiondistill import rotations
from motiondistill.structures import NUM_HAND_JOINTS, NUM_JOINTS, Motion


def random_motion(
    seed: int,
    frames: int = 2,
    *,
    fps: float = 30.0,
    detailed: bool = True,
    spread: float = 1.0,
    dtype: torch.dtype = torch.float64,
) -> Motion:
    """Rotation vectors with this standard deviation, radians, and a pelvis within metres."""
    generator = torch.Generator().manual_seed(seed)

    def turns(*shape: int) -> torch.Tensor:
        vectors = spread * torch.randn(frames, *shape, 3, generator=generator, dtype=torch.float64)
        return rotations.from_axis_angle(vectors).to(dtype)

    return Motion(
        turns(NUM_JOINTS),
        torch.randn(frames, 3, generator=generator, dtype=torch.float64).to(dtype),
        fps,
        hands=turns(NUM_HAND_JOINTS) if detailed else None,
        jaw=turns() if detailed else None,
    )


def many_motions(count: int, **given: Any) -> Motion:
    """So many random motions of two frames, one after the other."""
    motions = [random_motion(seed, **given) for seed in range(count)]
    joined = Motion.stack(motions).map(lambda tensor: tensor.flatten(0, 1))
    return dataclasses.replace(joined, fps=motions[0].fps)


def largest_angle(a: Motion, b: Motion) -> float:
    """Between the rotations of two motions, those of hands and jaw as well, radians."""
    pairs = [(a.rotations, b.rotations), (a.hands, b.hands), (a.jaw, b.jaw)]
    angles = [0.0]
    for one, other in pairs:
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            angles.append(float(rotations.geodesic(one.double(), other.double()).max()))
    return max(angles)


def largest_step(a: Motion, b: Motion) -> float:
    """Between the pelvises of two motions, metres."""
    return float((a.translation.double() - b.translation.double()).norm(dim=-1).max())
