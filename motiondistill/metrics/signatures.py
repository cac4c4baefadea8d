"""Signatures of four actions: tests on joint positions that only a motion of the action passes.

They know nothing of how a motion was made, and each is passed by real or parametric motions of its
own action alone. Angles are measured in the body's frame: outwards is the line of the hips, up is
the world's vertical made perpendicular to it, forwards is perpendicular to both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.structures import JOINT_INDEX

Joints = Float[Tensor, "frames joints 3"]
Series = Float[Tensor, " frames"]


@dataclass(frozen=True)
class Check:
    """One measured figure and the bound it must meet."""

    name: str
    value: float
    bound: float
    above: bool = True
    """Whether the value must lie above the bound, or below it."""

    @property
    def passed(self) -> bool:
        """Whether the bound is met; never for a value that is not a number."""
        return self.value > self.bound if self.above else self.value < self.bound


def walking(joints: Joints) -> list[Check]:
    """Left and right hip flexion in opposition, each through a real range."""
    left, right = (_flexion(joints, side) for side in ("left", "right"))
    return [
        Check("hips' correlation", _correlation(left, right), -0.3, above=False),
        Check("left hip's range, rad", _range(left), 0.4),
        Check("right hip's range, rad", _range(right), 0.4),
    ]


def jumping_jacks(joints: Joints) -> list[Check]:
    """Both arms and both legs spread at the same times, the arms far and through the side."""
    arms = [_abduction(joints, f"{side}_shoulder", f"{side}_elbow") for side in ("left", "right")]
    legs = [_abduction(joints, f"{side}_hip", f"{side}_knee") for side in ("left", "right")]
    # The minimum of a tensor, unlike Python's, is not a number where one of them is none.
    together = float(torch.corrcoef(torch.stack([*arms, *legs])).min())
    # The angle jumps for an arm that rises straight ahead, as in squats: it must pass the side.
    sideways = min(_sideways_reach(joints, side) for side in ("left", "right"))
    return [
        Check("smallest correlation of two limbs", together, 0.5),
        Check("sideways reach of the arms, share of their length", sideways, 0.6),
        Check("left arm's range, rad", _range(arms[0]), 1.0),
        Check("right arm's range, rad", _range(arms[1]), 1.0),
    ]


def waving_right_hand(joints: Joints) -> list[Check]:
    """The right wrist above its shoulder in most frames and moving, the left arm at rest."""
    right, left = (
        joints[:, JOINT_INDEX[f"{side}_wrist"]] - joints[:, JOINT_INDEX[f"{side}_shoulder"]]
        for side in ("right", "left")
    )
    return [
        Check("right wrist above shoulder, share of frames", _share(right[:, 1] > 0), 0.5),
        Check("right wrist's travel, m", _travel(right), 0.15),
        Check("left wrist below shoulder, share of frames", _share(left[:, 1] < -0.2), 0.9),
        Check("left wrist's travel, m", _travel(left), 0.25, above=False),
    ]


def squatting(joints: Joints) -> list[Check]:
    """The pelvis falls because both knees bend: a jump's flight, on straight legs, is none."""
    pelvis = joints[:, JOINT_INDEX["pelvis"], 1]
    knees = [_knee(joints, side) for side in ("left", "right")]
    return [
        Check("pelvis' fall, m", _range(pelvis), 0.2),
        Check("left knee's range, rad", _range(knees[0]), 0.8),
        Check("right knee's range, rad", _range(knees[1]), 0.8),
        Check(
            "pelvis' height and knee flexion, correlation",
            _correlation(pelvis, knees[0] + knees[1]),
            -0.8,
            above=False,
        ),
    ]


SIGNATURES: Final[Mapping[str, Callable[[Joints], list[Check]]]] = {
    "a person is walking": walking,
    "a person does jumping jacks": jumping_jacks,
    "a person waves with the right hand": waving_right_hand,
    "a person squats": squatting,
}


def _body_frame(joints: Joints) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors (left, up, forward) of each frame, [F 3]."""
    across = joints[:, JOINT_INDEX["left_hip"]] - joints[:, JOINT_INDEX["right_hip"]]
    left = torch.nn.functional.normalize(across, dim=-1)
    vertical = torch.tensor([0.0, 1.0, 0.0]).to(joints).expand_as(left)
    up = vertical - (vertical * left).sum(-1, keepdim=True) * left
    up = torch.nn.functional.normalize(up, dim=-1)
    return left, up, torch.cross(left, up, dim=-1)


def _flexion(joints: Joints, side: str) -> Series:
    """Forward swing of the thigh, radians; 0 hangs."""
    _, up, forward = _body_frame(joints)
    thigh = joints[:, JOINT_INDEX[f"{side}_knee"]] - joints[:, JOINT_INDEX[f"{side}_hip"]]
    return torch.atan2((thigh * forward).sum(-1), -(thigh * up).sum(-1))


def _abduction(joints: Joints, start: str, end: str) -> Series:
    """Sideways lift of a limb, radians: 0 hangs, pi points up."""
    left, up, _ = _body_frame(joints)
    limb = joints[:, JOINT_INDEX[end]] - joints[:, JOINT_INDEX[start]]
    outward = left if start.startswith("left") else -left
    angle = torch.atan2((limb * outward).sum(-1), -(limb * up).sum(-1))
    # An arm that crosses the vertical overhead goes on beyond pi; one that crosses it hanging is
    # below zero.
    return torch.where(angle < -torch.pi / 2, angle + 2 * torch.pi, angle)


def _sideways_reach(joints: Joints, side: str) -> float:
    """How far the upper arm ever points outwards: 0 straight ahead or down, 1 to the side."""
    left, _, _ = _body_frame(joints)
    arm = joints[:, JOINT_INDEX[f"{side}_elbow"]] - joints[:, JOINT_INDEX[f"{side}_shoulder"]]
    outward = left if side == "left" else -left
    return float(torch.nn.functional.cosine_similarity(arm, outward, dim=-1).max())


def _knee(joints: Joints, side: str) -> Series:
    """Bend of the knee, radians; 0 is straight."""
    hip, knee, ankle = (
        joints[:, JOINT_INDEX[f"{side}_{name}"]] for name in ("hip", "knee", "ankle")
    )
    cosine = torch.nn.functional.cosine_similarity(knee - hip, ankle - knee, dim=-1)
    return cosine.clamp(-1, 1).acos()


def _correlation(a: Series, b: Series) -> float:
    """Pearson's correlation; not a number where one series does not change."""
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


def _range(series: Series) -> float:
    return float(series.max() - series.min())


def _share(frames: Tensor) -> float:
    return float(frames.float().mean())


def _travel(positions: Float[Tensor, "frames 3"]) -> float:
    """The largest distance between any two of the positions, metres."""
    return float((positions[:, None] - positions[None]).norm(dim=-1).max())
