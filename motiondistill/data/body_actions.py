"""Actions of the whole body, such as squats, jumping jacks and bows."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.choreography import Choreography, Wave, arm_pair, blend, keyed, trunk
from motiondistill.data.draws import start_phase, uniform
from motiondistill.data.stance import Movement, draw_stance

_GRAVITY = 9.81


def stand(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """Breathing and swaying a little."""
    stance = draw_stance(times, generator, rest)
    return stance.steps(stance.arms, Movement())


def squat(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """Squats every 1.6 to 2 s, arms ahead for balance, feet planted."""
    stance = draw_stance(times, generator, rest, width=(0.0, 0.08), toes_out=(0.1, 0.4))
    phase = _phase(times, uniform(generator, 1.6, 2.0), generator)
    down = ((1 - phase.cos()) / 2) ** uniform(generator, 0.7, 1.0)
    depth = uniform(generator, 0.32, 0.44) * down
    lean = uniform(generator, 0.45, 0.7) * down
    reach = uniform(generator, 1.25, 1.6)
    ahead = torch.full_like(times, uniform(generator, 1.25, 1.5))
    # The arms are level in the world while the trunk leans.
    level = (reach + lean) * down + stance.hang * (1 - down)
    arms = blend(
        stance.arms, arm_pair((level, ahead), (level + 0.1, ahead)), (3 * down).clamp(max=1)
    )
    # The hips move back as they sink, or the subject would tip over its toes.
    root = torch.stack([0 * depth, -0.42 * depth], -1)
    return stance.steps(
        arms,
        Movement(
            root=root,
            sink=depth,
            pelvis=trunk(0.6 * lean),
            chest=trunk(0.4 * lean),
            head=trunk(-0.6 * lean),
        ),
    )


def jumping_jacks(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]
) -> Choreography:
    """Legs spread and arms rise overhead together, with a hop each way, every 0.95 to 1.15 s."""
    stance = draw_stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 0.95, 1.15), generator)
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
    return stance.steps(arms, Movement(spread=spread, lift=lift, sink=sink, point=3 * lift))


def raise_both_arms(
    times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]
) -> Choreography:
    """Both arms up and down once in 1.9 to 2.3 s, through the front or the sides."""
    stance = draw_stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 1.9, 2.3), generator)
    # Flat tops: the arms rest a while above and below.
    raised = (0.5 - 0.7 * phase.cos()).clamp(0, 1)
    raised = raised * raised * (3 - 2 * raised)
    top = uniform(generator, 2.6, 3.0)
    ahead = torch.full_like(times, uniform(generator, 0.1, 1.35))
    level = stance.hang + (top - stance.hang) * raised
    arms = blend(stance.arms, arm_pair((level, ahead), (level, ahead)), (4 * raised).clamp(max=1))
    return stance.steps(arms, Movement(head=trunk(-uniform(generator, 0.0, 0.25) * raised)))


def bow(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """A bow from the hips every 1.9 to 2.3 s."""
    stance = draw_stance(times, generator, rest)
    phase = _phase(times, uniform(generator, 1.9, 2.3), generator)
    down = (0.5 - 0.65 * phase.cos()).clamp(0, 1)
    bend = uniform(generator, 0.8, 1.35) * down * down * (3 - 2 * down)
    # The arms stay along the trunk, or fall towards the floor.
    fall = uniform(generator, 0.0, 0.8) * bend
    forward = arm_pair((fall, torch.full_like(fall, 1.5)), (fall, torch.full_like(fall, 1.5)))
    arms = torch.nn.functional.normalize(stance.arms + forward * fall[:, None, None, None], dim=-1)
    root = torch.stack([0 * bend, -0.12 * bend], -1)
    return stance.steps(
        arms,
        Movement(
            root=root, pelvis=trunk(0.65 * bend), chest=trunk(0.35 * bend), head=trunk(0.15 * bend)
        ),
    )


def jump(times: Wave, generator: torch.Generator, rest: Float[Tensor, "joints 3"]) -> Choreography:
    """One jump of 0.25 to 0.4 m on the spot: crouch, flight, landing."""
    stance = draw_stance(times, generator, rest)
    height = uniform(generator, 0.25, 0.4)
    flight = 2 * math.sqrt(2 * height / _GRAVITY)
    crouch = uniform(generator, 0.18, 0.3)
    swing = uniform(generator, 1.2, 2.6)
    since = times - uniform(generator, 0.6, 0.75)
    lift = (0.5 * _GRAVITY * since * (flight - since)).clamp(min=0)
    sink_keys = [(-0.55, 0.0), (-0.15, crouch), (0.0, 0.0), (flight - 0.1, 0.03)]
    sink = keyed(since, [*sink_keys, (flight + 0.15, 0.8 * crouch), (flight + 0.6, 0.0)])
    swing_keys = [(-0.55, 0.0), (-0.25, -0.7), (0.1, swing), (flight, 0.8 * swing)]
    forward = keyed(since, [*swing_keys, (flight + 0.5, 0.0)])
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
        Movement(
            root=root,
            sink=sink,
            lift=lift,
            point=(8 * lift).clamp(max=0.7),
            pelvis=trunk(0.6 * lean),
            chest=trunk(0.4 * lean),
        ),
    )


def _phase(times: Wave, period: float, generator: torch.Generator) -> Wave:
    return 2 * math.pi * (times / period + start_phase(generator))
