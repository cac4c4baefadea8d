"""Training of the action recogniser: balanced draws, augmentation, one cosine of AdamW."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from recogniser.clips import SPAN, STRIDE, Recording
from recogniser.mixing import CLASSES, mixed
from torch import Tensor
from torch.nn.functional import normalize

from motiondistill import rotations
from motiondistill.data.joints import JOINTS_FPS
from motiondistill.data.parametric import PARAMETRIC_ACTIONS, parametric_motion
from motiondistill.kinematics import forward_kinematics
from motiondistill.metrics.recogniser import ACTIONS, FRAMES, RATE, ActionNetwork
from motiondistill.metrics.recogniser_descriptors import describe
from motiondistill.metrics.recogniser_features import PoseFeatures, mirrored, pose_features
from motiondistill.randomness import seeded

BATCH, RATE_OF_LEARNING, WEIGHT_DECAY, SMOOTHING, DROPOUT = 128, 2e-3, 0.05, 0.1, 0.15
# Batches that are drawn and augmented, once for a training; its steps draw from all their windows.
_POOL = 100
PARAMETRIC_SHARE = 0.3  # of the draws of a class that has real clips, too
# How often a class is drawn, 1 unless given. Dances differ most; few clips show a rare action, and
# what is often drawn is often answered.
DRAWS = {"dance": 3.0} | dict.fromkeys(("cartwheel", "crawl", "backflip", "roll", "throw"), 0.5)
_PARAMETRIC_SECONDS, _PARAMETRIC_DRAWS = 3.0, 10
# One-shot actions start near the start of their motion; cyclic ones may start anywhere.
_CYCLIC = ("walk", "run", "jumping jacks", "wave", "stand", "dance", "crawl", "sit", "squat")
_START_RANGE = 0.3


@dataclass(frozen=True)
class Bank:
    """All recordings one after another, and what to draw from them."""

    joints: Float[Tensor, "frames joints 3"]
    offsets: Int[Tensor, " recordings"]
    lengths: Int[Tensor, " recordings"]
    choices: dict[int, list[list[list[tuple[int, float]]]]]
    """For each action: origins (parametric first), their clips, the clips' (recording, start)."""
    parametric: dict[int, bool]


def parametric_recordings(rest: Float[Tensor, "joints 3"], seed: int) -> list[Recording]:
    """Motions of every parametric action on both sides, marked as such."""
    found = []
    frames = round(_PARAMETRIC_SECONDS * JOINTS_FPS)
    for action in PARAMETRIC_ACTIONS:
        if action not in ACTIONS:
            continue
        generator = seeded(seed, 0, f"parametric {action}")
        free = action in _CYCLIC
        low, high = (0.0, _PARAMETRIC_SECONDS - SPAN) if free else (-_START_RANGE, _START_RANGE)
        starts = tuple(torch.linspace(low, high, 6).tolist())
        for index in range(2 * _PARAMETRIC_DRAWS):
            side = ("left", "right")[index % 2]
            motion = parametric_motion(action, side, generator, rest, JOINTS_FPS, frames)
            _, joints = forward_kinematics(motion.rotations, rest)
            joints = joints + motion.translation[:, None]
            found.append(
                Recording(
                    f"parametric/{action} {index}", "parametric", action, joints, starts, free
                )
            )
    return found


def bank_of(recordings: Sequence[Recording]) -> Bank:
    """The bank of real and parametric recordings."""
    lengths = torch.tensor([len(one.joints) for one in recordings])
    grouped: dict[int, dict[str, dict[str, list[tuple[int, float]]]]] = {}
    for index, one in enumerate(recordings):
        clips = grouped.setdefault(CLASSES.index(one.action), {}).setdefault(one.group, {})
        clips.setdefault(one.name, []).extend((index, start) for start in one.starts)
    choices, parametric = {}, {}
    for action, groups in grouped.items():
        ours = groups.pop("parametric", None)
        ordered = [*([ours] if ours else []), *groups.values()]
        choices[action] = [list(clips.values()) for clips in ordered]
        parametric[action] = ours is not None
    joints = torch.cat([one.joints for one in recordings])
    return Bank(joints, lengths.cumsum(0) - lengths, lengths, choices, parametric)


def train(bank: Bank, seed: int, steps: int) -> ActionNetwork:
    """A network trained on the bank; the same for the same seed and threads."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ActionNetwork(DROPOUT).train()
        batches = [draw_batch(bank, seeded(seed, i, "pool")) for i in range(min(_POOL, steps))]
        inputs, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        network.adjust(inputs)
        optimizer = torch.optim.AdamW(
            network.parameters(), RATE_OF_LEARNING, weight_decay=WEIGHT_DECAY
        )
        average = torch.optim.swa_utils.AveragedModel(
            network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
        )
        for step in range(steps):
            rate = RATE_OF_LEARNING * min(1.0, (step + 1) / 50)
            rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.param_groups[0]["lr"] = rate
            chosen = torch.randint(len(labels), (BATCH,), generator=seeded(seed, step, "batch"))
            # Members share the batches and nothing else.
            loss = sum_of_losses(network.members(inputs[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(network)
    trained = average.module
    assert isinstance(trained, ActionNetwork)
    return trained.eval()


def sum_of_losses(
    members: Float[Tensor, "members batch classes"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """The sum over members of their smoothed cross-entropy."""
    losses = [
        torch.nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
        for logits in members
    ]
    return torch.stack(losses).sum()


def draw_batch(
    bank: Bank, generator: torch.Generator
) -> tuple[Float[Tensor, "batch descriptors"], Int[Tensor, " batch"]]:
    """Augmented inputs and labels.

    Actions are drawn by `DRAWS`; their origins, of these the clips, and windows are equally likely.
    """
    actions = sorted(bank.choices)
    weights = torch.tensor([DRAWS.get(CLASSES[action], 1.0) for action in actions])
    places = torch.multinomial(weights, BATCH, replacement=True, generator=generator)
    drawn = [actions[place] for place in places.tolist()]
    picks = [_draw(bank, action, generator) for action in drawn]
    recordings = torch.tensor([index for index, _ in picks])
    starts = torch.tensor([start for _, start in picks])
    joints = _windows(bank, recordings, starts, generator)
    labels = torch.tensor(drawn)
    features = augmented(mixed(pose_features(joints), labels, generator), generator)
    return describe(features), labels


def augmented(features: PoseFeatures, generator: torch.Generator) -> PoseFeatures:
    """Mirror images, and what bodies, trackers and fitted motions do to poses.

    Constant and flickering errors of bones, smaller and smoother movement, a turned and tilted
    body, a wrong height. Each motion has its own amount of each.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    count, frames, bones, _ = features.directions.shape
    flip = torch.rand(count, generator=generator) < 0.5
    other = mirrored(features)
    directions = torch.where(flip[:, None, None, None], other.directions, features.directions)
    root = torch.where(flip[:, None, None], other.root, features.root)

    smooth = (torch.rand(count, generator=generator) < 0.3).float()[:, None, None, None]
    directions = directions + smooth * (_blurred(directions) - directions)
    root = root + smooth[..., 0] * (_blurred(root) - root)
    amplitude = uniform(0.6, 1.15, count, 1, 1, 1)
    directions = _scaled(directions, amplitude)
    root = _scaled(root, amplitude[..., 0])

    amount = uniform(0, 1, count, 1, 1, 1)
    directions = directions + 0.15 * normal(count, 1, bones, 3)
    directions = directions + 0.12 * amount * _blurred(normal(count, frames, bones, 3))
    directions = directions + 0.05 * amount * normal(count, frames, bones, 3)
    root = root * uniform(0.92, 1.08, count, 1, 1) + 0.02 * amount[..., 0] * normal(
        count, frames, 3
    )
    root = root + torch.tensor([0.0, 0.05, 0.0]) * normal(count, 1, 1)
    turn = _turns(0.35 * normal(count), 0.1 * normal(count), 0.1 * normal(count))
    return PoseFeatures(normalize(directions, dim=-1) @ turn[:, None], root @ turn)


def _draw(bank: Bank, action: int, generator: torch.Generator) -> tuple[int, float]:
    origins = bank.choices[action]
    real = origins[1:] if bank.parametric[action] else origins
    ours = bank.parametric[action] and (
        not real or float(torch.rand((), generator=generator)) < PARAMETRIC_SHARE
    )
    clips = origins[0] if ours else real[_index(generator, len(real))]
    windows = clips[_index(generator, len(clips))]
    return windows[_index(generator, len(windows))]


def _windows(
    bank: Bank, recordings: Tensor, starts: Tensor, generator: torch.Generator
) -> Float[Tensor, "batch frames joints 3"]:
    """The windows' joints, their tempo and start changed a little; ends of clips are held."""
    count = len(recordings)
    tempo = 0.8 + 0.45 * torch.rand(count, 1, generator=generator)
    jitter = STRIDE * (torch.rand(count, 1, generator=generator) - 0.5)
    middle = starts[:, None] + SPAN / 2 + jitter
    times = middle + tempo * (torch.arange(FRAMES) / RATE - SPAN / 2)
    last = (bank.lengths[recordings] - 1)[:, None]
    positions = torch.minimum((times * JOINTS_FPS).clamp(min=0), last.float())
    first = positions.floor().long()
    second = torch.minimum(first + 1, last)
    part = (positions - first)[..., None, None]
    offset = bank.offsets[recordings][:, None]
    before, after = bank.joints[offset + first], bank.joints[offset + second]
    return before + part * (after - before)


def _scaled(values: Tensor, amplitude: Tensor) -> Tensor:
    """Movement about the mean over frames (dimension 1), made larger or smaller."""
    mean = values.mean(1, keepdim=True)
    return mean + amplitude * (values - mean)


def _blurred(values: Tensor) -> Tensor:
    """The mean of three frames (dimension 1)."""
    before = torch.cat([values[:, :1], values[:, :-1]], 1)
    after = torch.cat([values[:, 1:], values[:, -1:]], 1)
    return (before + values + after) / 3


def _turns(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Float[Tensor, "batch 3 3"]:
    up, right, ahead = torch.eye(3)[[1, 0, 2]]
    return (
        rotations.from_axis_angle(yaw[:, None] * up)
        @ rotations.from_axis_angle(pitch[:, None] * right)
        @ rotations.from_axis_angle(roll[:, None] * ahead)
    )


def _index(generator: torch.Generator, count: int) -> int:
    return int(torch.randint(count, (), generator=generator))
