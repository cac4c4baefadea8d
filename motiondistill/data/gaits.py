"""Walking and running on the spot, from the joint angles of a gait cycle."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import SIDES, Choreography, Wave, arm, leg, trunk
from motiondistill.data.draws import start_phase, uniform

# Sagittal angles in degrees at every tenth of the cycle, from one heel strike of the leg to its
# next: flexion of hip and knee, dorsiflexion of the ankle. Round figures of the curves in Winter
# (walking) and Novacheck 1998 (running).
_WALK = {
    "hip": (30, 25, 15, 5, -4, -10, -3, 15, 27, 32),
    "knee": (5, 15, 17, 11, 6, 13, 38, 62, 50, 20),
    "ankle": (0, -4, 3, 7, 10, 5, -15, -7, 0, 2),
}
_RUN = {
    "hip": (38, 32, 18, 2, -8, 4, 25, 46, 54, 48),
    "knee": (20, 40, 42, 28, 18, 42, 85, 104, 80, 38),
    "ankle": (5, 15, 20, 2, -22, -15, -5, 0, 3, 5),
}
# A runner flies after the toe leaves the ground, 44 % after the heel strike of each leg in the
# middle of the flight.
_FLIGHT_PHASE = 0.44


def walk(times: Wave, generator: torch.Generator) -> Choreography:
    """Walking on the spot: period 1 to 1.2 s, arms against legs."""
    cycle = _cycle(times, uniform(generator, 1.0, 1.2), generator)
    stride = uniform(generator, 0.95, 1.25)
    swing = uniform(generator, 0.45, 0.75)
    elbow = uniform(generator, 0.25, 0.55)
    lean = uniform(generator, 0.0, 0.08)
    width = uniform(generator, -0.01, 0.04)
    return _gait(cycle, _WALK, stride, swing, elbow, lean, width)


def run(times: Wave, generator: torch.Generator) -> Choreography:
    """Running on the spot: period 0.66 to 0.76 s, elbows bent, a flight between the steps."""
    cycle = _cycle(times, uniform(generator, 0.66, 0.76), generator)
    stride = uniform(generator, 0.85, 1.15)
    swing = uniform(generator, 0.55, 0.85)
    elbow = uniform(generator, 1.3, 1.8)
    lean = uniform(generator, 0.06, 0.2)
    steps = _gait(cycle, _RUN, stride, swing, elbow, lean, 0.0)
    flight = torch.cos(4 * math.pi * (cycle - _FLIGHT_PHASE)).clamp(min=0) ** 1.5
    lift = uniform(generator, 0.04, 0.09) * flight
    return Choreography(**{**vars(steps), "lift": lift})


def _cycle(times: Wave, period: float, generator: torch.Generator) -> Wave:
    return times / period + start_phase(generator)


def _gait(
    cycle: Wave,
    curves: Mapping[str, Sequence[int]],
    stride: float,
    swing: float,
    elbow: float,
    lean: float,
    width: float,
) -> Choreography:
    """The gait at the phases `cycle` (left heel strike at whole numbers)."""
    arms, legs, feet = [], [], []
    for index, side in enumerate(SIDES):
        phase = cycle + 0.5 * index
        hip, knee, ankle = (
            math.radians(stride) * _curve(curves[name], phase) for name in ("hip", "knee", "ankle")
        )
        legs.append(leg(side, hip, knee, width))
        feet.append(
            torch.stack([-(hip - knee + ankle), torch.full_like(hip, 0.08 * (1 - 2 * index))], -1)
        )
        # The arm is furthest back at the heel strike of its own side.
        forward = -swing * torch.cos(2 * math.pi * phase) + 0.05 + 0.25 * swing * (elbow > 1)
        bend = elbow * (1 + 0.25 * torch.sin(2 * math.pi * phase - math.pi / 2))
        arms.append(
            torch.stack([_swung(side, forward, 0.2), _swung(side, forward + bend, -0.1)], 1)
        )
    turn = torch.cos(2 * math.pi * cycle)
    roll = torch.sin(2 * math.pi * cycle)
    yaw = -0.07 * stride * turn
    zero = torch.zeros_like(cycle)
    chest = trunk(0.4 * lean + zero, -yaw + 0.2 * swing * turn, -0.05 * roll)
    return Choreography(
        pelvis=trunk(0.6 * lean + zero, yaw, 0.04 * roll),
        chest=chest,
        head=trunk(-0.7 * lean + zero, -0.2 * swing * turn, zero),
        arms=torch.stack(arms, 1),
        legs=torch.stack(legs, 1),
        feet=torch.stack(feet, 1),
        root=torch.stack([0.015 * roll, zero], -1),
        lift=zero,
    )


def _swung(side: str, forward: Wave, outward: float) -> Float[Tensor, "frames 3"]:
    """Arm directions that swing in the sagittal plane, held outwards by a constant slope."""
    hanging = arm(side, torch.full_like(forward, math.atan(outward)), torch.zeros_like(forward))
    direction = torch.stack([hanging[:, 0], -forward.cos(), forward.sin()], -1)
    return torch.nn.functional.normalize(direction, dim=-1)


def _curve(samples: Sequence[int], phase: Wave) -> Wave:
    """The smooth periodic curve through the samples: trigonometric interpolation."""
    spectrum = torch.fft.rfft(torch.tensor(samples, dtype=phase.dtype)) / len(samples)
    harmonics = torch.arange(len(spectrum))
    # All but the mean (and the highest harmonic of an even number of samples) stand for two
    # conjugate terms.
    weights = torch.full((len(spectrum),), 2.0)
    weights[0] = weights[-1] = 1.0
    angles = 2 * math.pi * phase[:, None] * harmonics
    terms: Tensor = weights * (spectrum.real * angles.cos() - spectrum.imag * angles.sin())
    return terms.sum(-1)
