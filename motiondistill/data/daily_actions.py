"""Actions of everyday life: sitting down, dancing, drinking and throwing.

Motion capture of them is long-winded or rare, so each has one figure that is always alike.
`side` is 0 for left and 1 for right.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import (
    SIDES,
    Choreography,
    Wave,
    arm,
    arm_pair,
    blend,
    keyed,
    trunk,
)
from motiondistill.data.draws import start_phase, uniform
from motiondistill.data.stance import Movement, draw_stance
from motiondistill.structures import JOINT_INDEX as J


def sit(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """Sits down on an unseen seat and stays, the hands on the knees.

    Thighs end about level and shins upright; the trunk leans ahead on the way down.
    """
    stance = draw_stance(times, generator, rest, width=(-0.02, 0.05), toes_out=(0.05, 0.25))
    start = uniform(generator, 0.2, 0.35)
    end = start + uniform(generator, 0.75, 0.95)
    down = keyed(times, [(start, 0.0), (end, 1.0)])
    thigh = float((rest[J["left_knee"]] - rest[J["left_hip"]]).norm())
    back = thigh * uniform(generator, 0.85, 0.95)
    seat = thigh * uniform(generator, 0.85, 1.0)
    lean = uniform(generator, 0.5, 0.75) * keyed(
        times, [(start, 0.0), ((start + end) / 2, 1.0), (end + 0.2, 0.0)]
    )
    ahead = torch.full_like(times, uniform(generator, 1.2, 1.5))
    level = torch.full_like(times, uniform(generator, 0.5, 0.65))
    lower = torch.full_like(times, uniform(generator, 1.0, 1.2))
    arms = blend(stance.arms, arm_pair((level, ahead), (lower, ahead + 0.2)), down)
    return stance.steps(
        arms,
        Movement(
            root=torch.stack([0 * down, -back * down], -1),
            sink=seat * down,
            pelvis=trunk(0.6 * lean - 0.1 * down),
            chest=trunk(0.4 * lean + 0.1 * down),
            head=trunk(-0.5 * lean),
        ),
    )


def dance(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """Steps from side to side, a beat every half second; hips and raised arms swing along."""
    stance = draw_stance(times, generator, rest, width=(0.04, 0.09), toes_out=(0.1, 0.3))
    phase = 2 * math.pi * (times / uniform(generator, 1.0, 1.15) + start_phase(generator))
    sway = phase.sin()
    side = uniform(generator, 0.11, 0.16) * sway
    # The unloaded foot is lifted, and drawn in a little.
    free = torch.stack([(-sway).clamp(min=0), sway.clamp(min=0)], -1)
    drawn = free * torch.tensor([-0.08, 0.08])
    steps = torch.stack([drawn, uniform(generator, 0.1, 0.16) * free, 0 * free], -1)
    level = uniform(generator, 2.1, 2.4)
    swing = uniform(generator, 0.5, 0.7) * sway
    ahead = torch.full_like(times, uniform(generator, 0.2, 0.5))
    arms = []
    for index, name in enumerate(SIDES):
        tilt = swing if index == 1 else -swing
        upper = arm(name, level + tilt, ahead)
        arms.append(torch.stack([upper, arm(name, level + 0.4 + 1.3 * tilt, ahead)], 1))
    hips = uniform(generator, 0.14, 0.22) * sway
    return stance.steps(
        torch.stack(arms, 1),
        Movement(
            root=torch.stack([side, 0 * side], -1),
            sink=0.03 + 0.03 * (2 * phase).cos(),
            steps=steps,
            pelvis=trunk(0 * hips, 0.5 * hips, hips),
            chest=trunk(0 * hips, -0.5 * hips, -2.0 * hips),
            head=trunk(0 * hips, 0 * hips, 0.6 * hips),
        ),
    )


def drink(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"], side: int
) -> Choreography:
    """One hand goes to the mouth, the head tips back for a sip, and the hand goes down again."""
    stance = draw_stance(times, generator, rest)
    start = uniform(generator, 0.1, 0.2)
    there, leave = start + uniform(generator, 0.5, 0.6), uniform(generator, 1.2, 1.3)
    up = keyed(times, [(start, 0.0), (there, 1.0), (leave, 1.0), (leave + 0.55, 0.0)])
    sip = keyed(
        times, [(there - 0.1, 0.0), (there + 0.2, 1.0), (leave - 0.1, 1.0), (leave + 0.2, 0.0)]
    )
    # The elbow goes out and ahead, so that the arm is seen from everywhere.
    upper = arm(
        SIDES[side],
        uniform(generator, 1.05, 1.25) + 0.25 * sip,
        torch.full_like(times, uniform(generator, 0.9, 1.1)),
    )
    lower = arm(
        SIDES[side],
        torch.full_like(times, uniform(generator, 2.25, 2.4)),
        torch.full_like(times, uniform(generator, 2.75, 2.95)),
    )
    # On its way the hand passes before the trunk.
    hanging = stance.arms[:, side]
    raised = torch.stack([upper, lower], 1)
    arms = [stance.arms[:, index] for index in range(2)]
    arms[side] = blend(hanging, raised, up)
    return stance.steps(
        torch.stack(arms, 1),
        Movement(chest=trunk(-0.08 * sip), head=trunk(-uniform(generator, 0.3, 0.5) * sip)),
    )


def throw(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"], side: int
) -> Choreography:
    """One overhand throw: the arm is drawn back high, whips ahead and falls across the body."""
    ahead = uniform(generator, 0.12, 0.2)
    stance = draw_stance(
        times, generator, rest, width=(0.0, 0.05), forward=ahead if side == 1 else -ahead
    )
    since = times - uniform(generator, 0.95, 1.05)
    cock = keyed(since, [(-0.85, 0.0), (-0.35, 1.0)])
    release = keyed(since, [(-0.33, 0.0), (0.02, 1.0)])
    follow = keyed(since, [(-0.02, 0.0), (0.33, 1.0)])
    away = keyed(since, [(0.4, 0.0), (0.85, 1.0)])
    high = torch.full_like(times, uniform(generator, 1.7, 1.95))
    poses = (
        ((high, _flat(times, -0.5)), (_flat(times, 2.3), _flat(times, -1.2))),
        ((high + 0.3, _flat(times, 1.1)), (_flat(times, 2.1), _flat(times, 1.5))),
        ((_flat(times, 0.9), _flat(times, 1.8)), (_flat(times, 0.7), _flat(times, 2.4))),
    )
    arms = list(stance.arms.unbind(1))
    for (upper, lower), weight in zip(poses, (cock, release, follow), strict=True):
        target = torch.stack([arm(SIDES[side], *upper), arm(SIDES[side], *lower)], 1)
        arms[side] = blend(arms[side], target, weight)
    arms[side] = blend(arms[side], stance.arms[:, side], away)
    # The other arm points ahead while the throwing arm is drawn back.
    aim = cock * (1 - release)
    pointing = arm(SIDES[1 - side], _flat(times, 1.3), _flat(times, 1.3))
    arms[1 - side] = blend(arms[1 - side], pointing[:, None].expand(-1, 2, -1), aim.clamp(max=0.95))
    inward = 1.0 if side == 1 else -1.0
    turn = inward * uniform(generator, 0.7, 0.95) * (1.7 * release - cock - 0.7 * away)
    shift = -0.07 * cock + 0.17 * release - 0.1 * away
    lean = -0.12 * cock + 0.45 * release + 0.15 * follow - 0.48 * away
    return stance.steps(
        torch.stack(arms, 1),
        Movement(
            root=torch.stack([0 * shift, shift], -1),
            sink=0.02 + 0.04 * release * (1 - away),
            pelvis=trunk(0.4 * lean, 0.4 * turn),
            chest=trunk(0.6 * lean, 0.6 * turn),
            head=trunk(-0.3 * lean, -0.8 * turn),
        ),
    )


def _flat(times: Wave, value: float) -> Wave:
    return torch.full_like(times, value)
