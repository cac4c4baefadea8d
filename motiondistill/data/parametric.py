"""Parametric motions: actions as functions of time and a few random numbers of style.

Each draws its tempo, phase, amplitude and manner from the generator, and none knows the skeleton except through the
reach of its legs, so planted feet stay where they are on any body.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data import gaits
from motiondistill.data.choreography import (
    SIDES,
    Choreography,
    Wave,
    arm,
    arm_pair,
    blend,
    keyed,
    leg,
    perform,
    planted_legs,
    rest_ankles,
    standing_height,
    trunk,
)
from motiondistill.data.draws import uniform
from motiondistill.structures import Motion

_GRAVITY = 9.81
Arms = Float[Tensor, "frames 2 2 3"]


def parametric_motion(
    action: str,
    side: str,
    generator: torch.Generator,
    rest_joints: Float[Tensor, "joints 3"],
    fps: float,
    frames: int,
) -> Motion:
    """A new motion of one of `PARAMETRIC_ACTIONS`; `side` names the limb of the actions that have one."""
    times = torch.arange(frames) / fps
    match action:
        case "walk":
            steps = gaits.walk(times, generator)
        case "run":
            steps = gaits.run(times, generator)
        case _ if action in _TWO_SIDED:
            steps = _TWO_SIDED[action](times, generator, rest_joints)
        case _ if action in _ONE_SIDED:
            steps = _ONE_SIDED[action](times, generator, rest_joints, SIDES.index(side))
        case _:
            known = ", ".join(PARAMETRIC_ACTIONS)
            raise ValueError(f"`action` must be one of {known}; got {action!r}.")
    return perform(steps, rest_joints, fps)


def _stand(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest)
    return stance.steps(stance.arms)


def _squat(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest, width=(0.0, 0.08), toes_out=(0.1, 0.4))
    phase = _phase(times, uniform(generator, 1.3, 2.1), generator)
    down = ((1 - phase.cos()) / 2) ** uniform(generator, 0.7, 1.0)
    depth = uniform(generator, 0.32, 0.44) * down
    lean = uniform(generator, 0.45, 0.7) * down
    reach = uniform(generator, 1.25, 1.6)
    ahead = torch.full_like(times, uniform(generator, 1.25, 1.5))
    # The arms are level in the world while the trunk leans.
    level = (reach + lean) * down + stance.hang * (1 - down)
    arms = blend(stance.arms, arm_pair((level, ahead), (level + 0.1, ahead)), (3 * down).clamp(max=1))
    # The hips move back as they sink, or the subject would tip over its toes.
    root = torch.stack([0 * depth, -0.42 * depth], -1)
    return stance.steps(arms, root=root, sink=depth, pelvis=trunk(0.6 * lean), chest=trunk(0.4 * lean), head=trunk(-0.6 * lean))


def _jumping_jacks(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 0.85, 1.4), generator)
    opened = (1 - (phase + 0.15 * (2 * phase).sin()).cos()) / 2
    top = uniform(generator, 2.6, 3.0)
    ahead = torch.full_like(times, uniform(generator, 0.0, 0.2))
    level = 0.15 + (top - 0.15) * opened
    bend = uniform(generator, 0.0, 0.25)
    arms = arm_pair((level, ahead), (level + bend * (1.3 * opened - 0.5), ahead + 0.1))
    spread = uniform(generator, 0.22, 0.34) * opened
    # The feet leave the floor twice a cycle: once to open, once to close.
    lift = uniform(generator, 0.05, 0.1) * phase.sin().abs() ** 1.5
    sink = 0.03 * (2 * phase).cos().clamp(min=0) ** 2 + 0.01
    return stance.steps(arms, spread=spread, lift=lift, sink=sink, point=3 * lift)


def _raise_both_arms(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 1.9, 3.0), generator)
    # Flat tops: the arms rest a while above and below.
    raised = (0.5 - 0.7 * phase.cos()).clamp(0, 1)
    raised = raised * raised * (3 - 2 * raised)
    top = uniform(generator, 2.6, 3.0)
    ahead = torch.full_like(times, uniform(generator, 0.1, 1.35))
    level = stance.hang + (top - stance.hang) * raised
    arms = blend(stance.arms, arm_pair((level, ahead), (level, ahead)), (4 * raised).clamp(max=1))
    return stance.steps(arms, head=trunk(-uniform(generator, 0.0, 0.25) * raised))


def _bow(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 1.9, 2.8), generator)
    down = (0.5 - 0.65 * phase.cos()).clamp(0, 1)
    bend = uniform(generator, 0.8, 1.35) * down * down * (3 - 2 * down)
    # The arms stay along the trunk, or fall towards the floor.
    fall = uniform(generator, 0.0, 0.8) * bend
    forward = arm_pair((fall, torch.full_like(fall, 1.5)), (fall, torch.full_like(fall, 1.5)))
    arms = torch.nn.functional.normalize(stance.arms + forward * fall[:, None, None, None], dim=-1)
    root = torch.stack([0 * bend, -0.12 * bend], -1)
    return stance.steps(arms, root=root, pelvis=trunk(0.65 * bend), chest=trunk(0.35 * bend), head=trunk(0.15 * bend))


def _jump(times: Wave, generator: torch.Generator, rest: Tensor) -> Choreography:
    stance = _Stance(times, generator, rest)
    height = uniform(generator, 0.22, 0.4)
    flight = 2 * math.sqrt(2 * height / _GRAVITY)
    crouch = uniform(generator, 0.18, 0.3)
    swing = uniform(generator, 1.2, 2.9)
    take_off = uniform(generator, 0.55, 1.05)
    land = take_off + flight
    lift = (0.5 * _GRAVITY * (times - take_off) * (land - times)).clamp(min=0)
    sink = keyed(
        times,
        [(take_off - 0.55, 0.0), (take_off - 0.15, crouch), (take_off, 0.0), (land - 0.1, 0.03)]
        + [(land + 0.15, 0.8 * crouch), (land + 0.6, 0.0)],
    )
    forward = keyed(
        times,
        [(take_off - 0.55, 0.0), (take_off - 0.2, -0.7), (take_off + 0.05, swing), (land, 0.8 * swing)]
        + [(land + 0.5, 0.0)],
    )
    lean = 2.0 * sink
    side = torch.atan(0.2 / forward.abs().clamp(min=0.2))
    ahead = torch.where(forward < 0, side - math.pi / 2, math.pi / 2 - side)
    arms = blend(
        stance.arms,
        arm_pair((forward.abs(), ahead), (forward.abs() + 0.15, ahead)),
        (4 * forward.abs()).clamp(max=1),
    )
    root = torch.stack([0 * sink, -0.3 * sink], -1)
    return stance.steps(
        arms,
        root=root,
        sink=sink,
        lift=lift,
        point=(8 * lift).clamp(max=0.7),
        pelvis=trunk(0.6 * lean),
        chest=trunk(0.4 * lean),
    )


def _wave(times: Wave, generator: torch.Generator, rest: Tensor, side: int) -> Choreography:
    stance = _Stance(times, generator, rest)
    phase = 2 * math.pi * uniform(generator, 1.0, 1.9) * times + uniform(generator, 0, 2 * math.pi)
    level = uniform(generator, 1.35, 2.3) + 0.05 * phase.sin()
    upper = arm(SIDES[side], level, torch.full_like(times, uniform(generator, 0.0, 0.5)))
    tilt = uniform(generator, -0.05, 0.3) + uniform(generator, 0.45, 0.85) * phase.sin()
    # The forearm swings from side to side round the vertical; pi is straight up.
    lower = arm(SIDES[side], math.pi - tilt, torch.full_like(times, uniform(generator, 0.0, 0.3)))
    waving = torch.stack([upper, lower], 1)
    arms = torch.stack([waving if index == side else stance.arms[:, index] for index in range(2)], 1)
    return stance.steps(arms)


def _kick(times: Wave, generator: torch.Generator, rest: Tensor, side: int) -> Choreography:
    stance = _Stance(times, generator, rest, width=(-0.05, 0.0))
    hit = uniform(generator, 0.8, 1.25)
    height = uniform(generator, 1.0, 1.6)
    hip = keyed(times, [(hit - 0.7, 0.0), (hit - 0.3, -0.45), (hit, height), (hit + 0.15, height), (hit + 0.65, 0.0)])
    knee = keyed(
        times,
        [(hit - 0.7, 0.1), (hit - 0.25, 1.4), (hit, 0.15), (hit + 0.1, 0.15), (hit + 0.35, 0.9)]
        + [(hit + 0.7, 0.1)],
    )
    away = keyed(times, [(hit - 0.7, 0.0), (hit - 0.45, 1.0), (hit + 0.4, 1.0), (hit + 0.65, 0.0)])
    inward = 1.0 if side == 1 else -1.0
    root = torch.stack([0.09 * inward * away, 0 * away], -1)
    back = -0.18 * (hip / height).clamp(min=0)
    turn = -inward * 0.25 * (hip / height)
    swing = 0.6 * hip / height
    kicking = leg(SIDES[side], hip, knee, 0.05)
    arms = stance.arms + torch.zeros_like(stance.arms)
    other = arm(SIDES[1 - side], 0.25 + 1.1 * swing.clamp(min=0), torch.full_like(times, 1.0))
    arms[:, 1 - side] = blend(arms[:, 1 - side], other[:, None].expand(-1, 2, -1), away)
    own = arm(SIDES[side], 0.25 + 0.6 * swing.clamp(min=0), torch.full_like(times, -0.7))
    arms[:, side] = blend(arms[:, side], own[:, None].expand(-1, 2, -1), 0.8 * away)
    steps = stance.steps(
        arms, root=root, sink=0.03 * away, pelvis=trunk(back, 0.5 * turn), chest=trunk(0.5 * swing.clamp(min=0) * 0.3, -turn)
    )
    steps.legs[:, side] = blend(steps.legs[:, side], kicking, away)
    # The toes follow the shin and point a little.
    follow = -(hip - knee) + 0.35
    steps.feet[:, side, 0] += away * (follow - steps.feet[:, side, 0])
    return steps


def _punch(times: Wave, generator: torch.Generator, rest: Tensor, side: int) -> Choreography:
    ahead = uniform(generator, 0.08, 0.16)
    stance = _Stance(times, generator, rest, width=(0.0, 0.06), forward=ahead if side == 1 else -ahead)
    phase = (times / uniform(generator, 0.75, 1.2) + uniform(generator, 0, 1)) % 1.0
    out = keyed(phase, [(0.0, 0.0), (0.3, 1.0), (0.42, 1.0), (0.8, 0.0)])
    level = torch.full_like(times, uniform(generator, 0.3, 0.6))
    reach = torch.full_like(times, uniform(generator, 1.45, 1.65))
    arms = []
    for index, name in enumerate(SIDES):
        upper = arm(name, level, torch.full_like(times, 0.9))
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
        torch.stack(arms, 1), root=root, sink=sink, pelvis=trunk(0.3 * lean, 0.4 * turn), chest=trunk(lean, 0.6 * turn), head=trunk(0 * out, -0.8 * turn)
    )


def _phase(times: Wave, period: float, generator: torch.Generator) -> Wave:
    return 2 * math.pi * (times / period + uniform(generator, 0, 1))


class _Stance:
    """A person who stands, breathes and sways; what the actions on planted feet add to."""

    def __init__(
        self,
        times: Wave,
        generator: torch.Generator,
        rest_joints: Float[Tensor, "joints 3"],
        *,
        width: tuple[float, float] = (-0.07, 0.02),
        toes_out: tuple[float, float] = (0.03, 0.25),
        forward: float = 0.0,
    ) -> None:
        """`width` is added to the distance of each ankle from the middle; `forward` puts the left foot ahead."""
        self._rest = rest_joints
        draw = generator
        self._width = uniform(draw, *width)
        self._toes = uniform(draw, *toes_out)
        self._forward = forward
        sway = (2 * math.pi * (uniform(draw, 0.2, 0.4) * times + uniform(draw, 0, 1))).sin()
        breath = (2 * math.pi * (uniform(draw, 0.25, 0.35) * times + uniform(draw, 0, 1))).sin()
        self._root = torch.stack([uniform(draw, 0, 0.015) * sway, 0.004 * breath], -1)
        self._chest = trunk(uniform(draw, -0.03, 0.06) + 0.012 * breath, uniform(draw, -0.04, 0.04) + 0 * sway, -0.01 * sway)
        self._head = trunk(uniform(draw, -0.08, 0.12) + 0.01 * sway, uniform(draw, -0.12, 0.12) + 0 * sway)
        self.hang = uniform(draw, 0.14, 0.28) + 0.01 * breath
        """Elevation of the hanging upper arms."""
        azimuth = torch.full_like(times, uniform(draw, -0.3, 0.3))
        bend = uniform(draw, 0.12, 0.35) + 0.02 * sway
        self.arms: Arms = arm_pair((self.hang, azimuth), (bend, torch.full_like(times, uniform(draw, 1.0, 1.4))))

    def steps(
        self,
        arms: Arms,
        *,
        root: Float[Tensor, "frames 2"] | None = None,
        sink: Wave | None = None,
        lift: Wave | None = None,
        spread: Wave | None = None,
        point: Wave | None = None,
        pelvis: Float[Tensor, "frames 3"] | None = None,
        chest: Float[Tensor, "frames 3"] | None = None,
        head: Float[Tensor, "frames 3"] | None = None,
    ) -> Choreography:
        """The stance with an action's additions.

        `sink` lowers the pelvis from nearly straight legs, `lift` raises the feet, `spread` moves each aside and
        `point` turns their toes down.
        """
        zero = torch.zeros(len(arms))
        lift = zero if lift is None else lift
        ankles = self._ankles(zero if spread is None else spread, lift)
        root = self._root if root is None else self._root + root
        pelvis = trunk(zero) if pelvis is None else pelvis
        # Standing knees are not locked: a little is left.
        height = standing_height(ankles, root, self._rest) - 0.003 - (0 if sink is None else sink)
        displacement = torch.stack([root[:, 0], height, root[:, 1]], -1)
        yaw = torch.stack([self._toes + zero, -self._toes + zero], -1)
        pitch = zero if point is None else point
        return Choreography(
            pelvis=pelvis,
            chest=self._chest if chest is None else self._chest + chest,
            head=self._head if head is None else self._head + head,
            arms=arms,
            legs=planted_legs(pelvis, displacement, ankles, yaw, self._rest),
            feet=torch.stack([torch.stack([pitch, pitch], -1), yaw], -1),
            root=root,
            lift=lift,
        )

    def _ankles(self, spread: Wave, lift: Wave) -> Float[Tensor, "frames 2 3"]:
        ankles = rest_ankles(self._rest)
        moved = []
        for index, sign in enumerate((1.0, -1.0)):
            aside = ankles[index, 0] + sign * (self._width + spread)
            ahead = ankles[index, 2] + sign * self._forward
            moved.append(torch.stack([aside, ankles[index, 1] + lift, ahead + 0 * lift], -1))
        return torch.stack(moved, 1)


_TWO_SIDED: dict[str, Callable[[Wave, torch.Generator, Tensor], Choreography]] = {
    "stand": _stand,
    "squat": _squat,
    "jumping jacks": _jumping_jacks,
    "raise both arms": _raise_both_arms,
    "bow": _bow,
    "jump": _jump,
}
_ONE_SIDED: dict[str, Callable[[Wave, torch.Generator, Tensor, int], Choreography]] = {
    "wave": _wave,
    "kick": _kick,
    "punch": _punch,
}
PARAMETRIC_ACTIONS = ("walk", "run", *_TWO_SIDED, *_ONE_SIDED)
