"""Errors of retargeted clips, and what looks wrong in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.base import Body
from motiondistill.data.directions import middle, unit
from motiondistill.data.grounding import sole_heights
from motiondistill.data.importers import CapturedClip
from motiondistill.data.joints import JOINTS_FPS, sound_frames
from motiondistill.data.retarget import NeutralPose, neutral_pose, retarget
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import JOINT_NAMES, PARENTS, Motion

SIDES = ("left", "right")
LIMBS = (("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist"))
Joints = Float[Tensor, "frames joints 3"]


@dataclass(frozen=True)
class Result:
    """One clip on our body."""

    source: str
    clip: CapturedClip
    motion: Motion
    posed: Joints
    sound: Bool[Tensor, " frames"]
    landmarks: Float[Tensor, "frames joints"]
    """Errors of the limbs' joints, rooted in the middle of the hips, metres; NaN for others."""
    strict: Float[Tensor, "frames joints"]
    """Errors of all joints, rooted at the pelvis."""

    @property
    def median(self) -> float:
        """Over sound frames and the limbs' joints."""
        return quantile(self.landmarks[self.sound], 0.5)


def strict_target(seen: Joints, posed: Joints) -> Joints:
    """The source's joints, each bone rescaled to ours, from our pelvis on.

    A bone leads to the nearest joint above that the source has.
    """
    target = torch.full_like(posed, torch.nan)
    target[:, 0] = posed[:, 0]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        while seen[0, parent].isnan().any():
            parent = PARENTS[parent]
        length = (posed[:, joint] - posed[:, parent]).norm(dim=-1, keepdim=True)
        target[:, joint] = target[:, parent] + length * unit(seen[:, joint] - seen[:, parent])
    return target


def bones(joints: Joints) -> dict[str, Float[Tensor, "frames 3"]]:
    """Bones between landmarks that all skeletons share, by the joint they lead to.

    From the middle of the hips to each hip and to the middle of the shoulders, from there to each
    shoulder, and along the limbs.
    """
    hips, shoulders = middle(joints, "hip"), middle(joints, "shoulder")
    found = {"trunk": shoulders - hips}
    for side in SIDES:
        for start, limb in zip((hips, shoulders), LIMBS, strict=True):
            for name in limb:
                end = joints[:, J[f"{side}_{name}"]]
                found[f"{side}_{name}"] = end - start
                start = end
    return found


def landmark_target(
    seen: Joints, posed: Joints, lengths: dict[str, float], rest: Float[Tensor, "joints 3"]
) -> Joints:
    """The source's landmarks, each bone rescaled by the ratio of our length to the source's.

    Args:
        lengths: The source's own bones, medians over its clips.
    """
    ours = bones(rest[None])
    scaled = {
        name: bone * (float(ours[name].norm()) / lengths[name])
        for name, bone in bones(seen).items()
    }
    target = torch.full_like(posed, torch.nan)
    hips = middle(posed, "hip")
    for side in SIDES:
        for place, limb in zip((hips, hips + scaled["trunk"]), LIMBS, strict=True):
            for name in limb:
                place = place + scaled[f"{side}_{name}"]
                target[:, J[f"{side}_{name}"]] = place
    return target


def results_of(source: str, clips: Sequence[CapturedClip], body: Body) -> Iterator[Result]:
    """Every clip on the body, with its errors."""
    by_skeleton: dict[str, list[Joints]] = {}
    for clip in clips:
        by_skeleton.setdefault(clip.source, []).append(clip.joints)
    rest = body.rest_joints
    neutral: dict[str, NeutralPose] = {}
    lengths: dict[str, dict[str, float]] = {}
    for skeleton, members in by_skeleton.items():
        neutral[skeleton] = neutral_pose(members)
        lengths[skeleton] = {
            name: float(bone.norm(dim=-1).median())
            for name, bone in bones(torch.cat(members)).items()
        }
    for clip in clips:
        seen = clip.joints
        motion = retarget(seen, JOINTS_FPS, neutral[clip.source], rest)
        posed = forward_kinematics(motion.rotations, rest)[1] + motion.translation[:, None]
        landmarks = landmark_target(seen, posed, lengths[clip.source], rest)
        yield Result(
            source,
            clip,
            motion,
            posed,
            sound_frames(seen),
            (landmarks - posed).norm(dim=-1),
            (strict_target(seen, posed) - posed).norm(dim=-1),
        )


def habits(results: Sequence[Result], rest: Float[Tensor, "joints 3"]) -> dict[str, float]:
    """What looks wrong even where joints are right: shares of sound frames, in per cent."""
    sunk, backwards, flips, count = 0, 0, 0, 0
    for result in results:
        turns, sound = result.motion.rotations, result.sound
        soles = sole_heights(turns, rest).flatten(1).amin(-1) + result.motion.translation[:, 1]
        steps = rotations.geodesic(turns[1:], turns[:-1]).amax(-1)
        sunk += int((soles < -0.03)[sound].sum())
        backwards += int((knee_bends(result) < -0.1)[sound].sum())
        flips += int((steps > 1.0)[sound[1:]].sum())
        count += int(sound.sum())
    shares = {"soles 3 cm under the floor": sunk, "knees bent back": backwards, "flips": flips}
    return {name: 100 * number / count for name, number in shares.items()}


def knee_bends(result: Result) -> Float[Tensor, " frames"]:
    """How far the less bent knee is bent, radians; negative is the way that knees do not go."""
    world, _ = forward_kinematics(result.motion.rotations, torch.zeros(len(JOINT_NAMES), 3))
    bends = []
    for side in SIDES:
        chain = [J[f"{side}_{name}"] for name in LIMBS[0][:3]]
        thigh, shin = unit(result.posed[:, chain].diff(dim=1)).unbind(1)
        hinge = world[:, chain[0], :, 0]
        bends.append((torch.cross(thigh, shin, dim=-1) * hinge).sum(-1).clamp(-1, 1).asin())
    return torch.stack(bends).amin(0)


def quantile(values: Tensor, share: float) -> float:
    finite = values[~values.isnan()]
    return float(np.quantile(finite.numpy(), share)) if len(finite) else float("nan")
