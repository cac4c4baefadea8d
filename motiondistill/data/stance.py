"""A person who stands, breathes and sways: what the actions on planted feet add to."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import (
    Choreography,
    Wave,
    arm_pair,
    planted_legs,
    rest_ankles,
    standing_height,
    trunk,
)
from motiondistill.data.draws import uniform

# Standing knees are not locked: the pelvis stays this far below the height of nearly straight legs.
_SOFT_KNEES = 0.003


@dataclass(frozen=True)
class Movement:
    """What an action adds to the stance; None adds nothing.

    Lengths in metres, angles as (pitch, yaw, roll).
    """

    root: Float[Tensor, "frames 2"] | None = None
    """Horizontal displacement of the pelvis (x, z)."""
    sink: Wave | None = None
    """How far the pelvis is below the height of nearly straight legs."""
    lift: Wave | None = None
    """Height of the feet above the floor."""
    spread: Wave | None = None
    """How far each foot moves aside."""
    steps: Float[Tensor, "frames 2 3"] | None = None
    """Displacement of the left and of the right ankle."""
    point: Wave | None = None
    """How far the toes are turned down."""
    pelvis: Float[Tensor, "frames 3"] | None = None
    chest: Float[Tensor, "frames 3"] | None = None
    head: Float[Tensor, "frames 3"] | None = None


@dataclass(frozen=True)
class Stance:
    """How one person stands."""

    rest_joints: Float[Tensor, "joints 3"]
    width: float
    """Added to the distance of each ankle from the middle, metres."""
    toes_out: float
    forward: float
    """How far the left foot is ahead of the rest position, and the right foot behind it."""
    root: Float[Tensor, "frames 2"]
    chest: Float[Tensor, "frames 3"]
    head: Float[Tensor, "frames 3"]
    hang: Wave
    """Elevation of the hanging upper arms."""
    arms: Float[Tensor, "frames 2 2 3"]

    def steps(self, arms: Float[Tensor, "frames 2 2 3"], movement: Movement) -> Choreography:
        """The stance with an action's arms and movement."""
        zero = torch.zeros(len(arms))
        still = torch.zeros(len(arms), 3)
        lift = zero if movement.lift is None else movement.lift
        ankles = self._ankles(zero if movement.spread is None else movement.spread, lift)
        if movement.steps is not None:
            ankles = ankles + movement.steps
        root = self.root if movement.root is None else self.root + movement.root
        pelvis = still if movement.pelvis is None else movement.pelvis
        sink = zero if movement.sink is None else movement.sink
        height = standing_height(ankles, root, self.rest_joints) - _SOFT_KNEES - sink
        displacement = torch.stack([root[:, 0], height, root[:, 1]], -1)
        yaw = torch.stack([self.toes_out + zero, -self.toes_out + zero], -1)
        pitch = zero if movement.point is None else movement.point
        return Choreography(
            pelvis=pelvis,
            chest=self.chest + (still if movement.chest is None else movement.chest),
            head=self.head + (still if movement.head is None else movement.head),
            arms=arms,
            legs=planted_legs(pelvis, displacement, ankles, yaw, self.rest_joints),
            feet=torch.stack([torch.stack([pitch, pitch], -1), yaw], -1),
            root=root,
            lift=lift,
        )

    def _ankles(self, spread: Wave, lift: Wave) -> Float[Tensor, "frames 2 3"]:
        ankles = rest_ankles(self.rest_joints)
        moved = []
        for index, sign in enumerate((1.0, -1.0)):
            aside = ankles[index, 0] + sign * (self.width + spread)
            ahead = ankles[index, 2] + sign * self.forward
            moved.append(torch.stack([aside, ankles[index, 1] + lift, ahead + 0 * lift], -1))
        return torch.stack(moved, 1)


def draw_stance(
    times: Wave,
    generator: torch.Generator,
    rest_joints: Float[Tensor, "joints 3"],
    *,
    width: tuple[float, float] = (-0.07, 0.02),
    toes_out: tuple[float, float] = (0.03, 0.25),
    forward: float = 0.0,
) -> Stance:
    """A random way to stand, `width` and `toes_out` from the given ranges."""
    zero = torch.zeros_like(times)
    sway = _slow_wave(times, generator, 0.2, 0.4)
    breath = _slow_wave(times, generator, 0.25, 0.35)
    azimuth = zero + uniform(generator, -0.3, 0.3)
    hang = uniform(generator, 0.14, 0.28) + 0.01 * breath
    lower = uniform(generator, 0.12, 0.35) + 0.02 * sway
    return Stance(
        rest_joints=rest_joints,
        width=uniform(generator, *width),
        toes_out=uniform(generator, *toes_out),
        forward=forward,
        root=torch.stack([uniform(generator, 0.0, 0.015) * sway, 0.004 * breath], -1),
        chest=trunk(
            uniform(generator, -0.03, 0.06) + 0.012 * breath,
            uniform(generator, -0.04, 0.04) + zero,
            -0.01 * sway,
        ),
        head=trunk(
            uniform(generator, -0.08, 0.12) + 0.01 * sway, uniform(generator, -0.12, 0.12) + zero
        ),
        hang=hang,
        arms=arm_pair((hang, azimuth), (lower, zero + uniform(generator, 1.0, 1.4))),
    )


def _slow_wave(times: Wave, generator: torch.Generator, low: float, high: float) -> Wave:
    """A sine of random phase whose frequency (Hz) lies between `low` and `high`."""
    frequency, phase = uniform(generator, low, high), uniform(generator, 0.0, 1.0)
    return (2 * math.pi * (frequency * times + phase)).sin()
