"""Actions of one arm or one leg: wave, kick, punch. `side` is 0 for left and 1 for right."""

import dataclasses
import math

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import SIDES, Choreography, Wave, arm, blend, keyed, leg, trunk
from motiondistill.data.draws import start_phase, uniform
from motiondistill.data.stance import Movement, draw_stance


def wave(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"], side: int
) -> Choreography:
    """The forearm sweeps widely from side to side, the upper arm raised; the other arm hangs.

    About one sweep to and fro a second, so that a video of eight frames a second shows it.
    """
    stance = draw_stance(times, generator, rest)
    phase = 2 * math.pi * (uniform(generator, 0.95, 1.1) * times + start_phase(generator))
    # The plane of the sweep is turned ahead, so that it is seen from the side as well.
    ahead = torch.full_like(times, uniform(generator, 0.55, 0.85))
    upper = arm(SIDES[side], uniform(generator, 1.9, 2.2) - 0.2 * phase.sin(), ahead)
    tilt = uniform(generator, 0.1, 0.3) + uniform(generator, 0.8, 1.0) * phase.sin()
    # The forearm swings from side to side round the vertical; pi is straight up.
    lower = arm(SIDES[side], math.pi - tilt, ahead)
    waving = torch.stack([upper, lower], 1)
    arms = torch.stack(
        [waving if index == side else stance.arms[:, index] for index in range(2)], 1
    )
    return stance.steps(arms, Movement())


def kick(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"], side: int
) -> Choreography:
    """One kick ahead: the leg swings back with a bent knee, snaps straight, and returns."""
    stance = draw_stance(times, generator, rest, width=(-0.05, 0.0))
    hit = uniform(generator, 0.9, 1.1)
    height = uniform(generator, 1.2, 1.65)
    hip_keys = [(-0.7, 0.0), (-0.3, -0.45), (0.0, height), (0.15, height), (0.7, 0.0)]
    knee_keys = [(-0.8, 0.1), (-0.45, 1.2), (-0.2, 1.4), (0.0, 0.15), (0.1, 0.15), (0.4, 1.3)]
    hip, knee = keyed(times - hit, hip_keys), keyed(times - hit, [*knee_keys, (0.75, 0.1)])
    # How much the leg has left its place on the floor.
    away = keyed(times - hit, [(-0.7, 0.0), (-0.45, 1.0), (0.4, 1.0), (0.75, 0.0)])
    inward = 1.0 if side == 1 else -1.0
    reach = (hip / height).clamp(min=0)
    turn = -inward * 0.25 * (hip / height)
    steps = stance.steps(
        _kicking_arms(stance.arms, reach, away, side),
        Movement(
            root=torch.stack([0.09 * inward * away, 0 * away], -1),
            sink=0.03 * away,
            pelvis=trunk(-0.18 * reach, 0.5 * turn),
            chest=trunk(0.09 * reach, -turn),
        ),
    )
    kicking = blend(steps.legs[:, side], leg(SIDES[side], hip, knee, 0.05), away)
    # The toes follow the shin and point a little.
    pitch = steps.feet[:, side, 0] + away * (knee - hip + 0.35 * reach - steps.feet[:, side, 0])
    foot = torch.stack([pitch, steps.feet[:, side, 1]], -1)
    legs, feet = list(steps.legs.unbind(1)), list(steps.feet.unbind(1))
    legs[side], feet[side] = kicking, foot
    return dataclasses.replace(steps, legs=torch.stack(legs, 1), feet=torch.stack(feet, 1))


def punch(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"], side: int
) -> Choreography:
    """Straight punches out of a guard, one every 0.9 to 1.05 s, the other foot ahead."""
    ahead = uniform(generator, 0.08, 0.16)
    stance = draw_stance(
        times, generator, rest, width=(0.0, 0.06), forward=ahead if side == 1 else -ahead
    )
    phase = (times / uniform(generator, 0.9, 1.05) + start_phase(generator)) % 1.0
    out = keyed(phase, [(0.0, 0.0), (0.16, 1.0), (0.3, 1.0), (0.7, 0.0)])
    level = torch.full_like(times, uniform(generator, 0.3, 0.6))
    reach = torch.full_like(times, uniform(generator, 1.45, 1.65))
    arms = []
    for index, name in enumerate(SIDES):
        upper = arm(name, level, torch.full_like(times, 0.5))
        # The guard: fists before the chin.
        lower = arm(name, torch.full_like(times, 2.55), torch.full_like(times, 2.0))
        guard = torch.stack([upper, lower], 1)
        straight = arm(name, reach, torch.full_like(times, 1.6))[:, None].expand(-1, 2, -1)
        arms.append(blend(guard, straight, out) if index == side else guard)
    turn = (1.0 if side == 1 else -1.0) * (uniform(generator, 0.5, 0.8) * out - 0.25)
    root = torch.stack([0 * out, 0.04 * out], -1)
    sink = torch.full_like(times, uniform(generator, 0.02, 0.06))
    lean = 0.08 + 0.05 * out
    return stance.steps(
        torch.stack(arms, 1),
        Movement(
            root=root,
            sink=sink,
            pelvis=trunk(0.3 * lean, 0.4 * turn),
            chest=trunk(lean, 0.6 * turn),
            head=trunk(0 * out, -0.8 * turn),
        ),
    )


def _kicking_arms(
    arms: Float[Tensor, "frames 2 2 3"], reach: Wave, away: Wave, side: int
) -> Float[Tensor, "frames 2 2 3"]:
    """Arms that balance the kick: the other one swings ahead, the one of the same side back."""
    ahead = arm(SIDES[1 - side], 0.25 + 0.66 * reach, torch.full_like(reach, 1.0))
    back = arm(SIDES[side], 0.25 + 0.36 * reach, torch.full_like(reach, -0.7))
    moved = list(arms.unbind(1))
    for index, direction, share in ((1 - side, ahead, away), (side, back, 0.8 * away)):
        moved[index] = blend(moved[index], direction[:, None].expand(-1, 2, -1), share)
    return torch.stack(moved, 1)
