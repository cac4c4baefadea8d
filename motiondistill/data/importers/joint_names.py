"""From the joints of any human skeleton to our 22, by their names and by what hangs from what.

Names are needed only for the limbs and the head. The rest follows from the hierarchy: the pelvis is
where the legs meet, the chest is where the arms meet, and the spine lies between.
"""

import re
from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.importers.skeleton import AnimatedSkeleton
from motiondistill.structures import JOINT_INDEX as J
from motiondistill.structures import NUM_JOINTS

# Names of limbs without their side, in small letters and without separators. One family says
# shoulder, elbow, hip, knee (SMPL, Truebones, CMU by way of MotionBuilder); the other names the
# bones (Mixamo, LaFAN1, Rokoko, AnimatedDrawings, Daz, Biped, Unreal, Rigify, AMP), and there a
# shoulder is a collar.
LIMB_NAMES: Final[tuple[dict[str, tuple[str, ...]], ...]] = (
    {
        "hip": ("upleg", "thigh", "upperleg", "upperleg01", "upleg1", "femur"),
        "knee": ("leg", "shin", "lowerleg", "calf", "lowerleg01", "tibia", "lowleg"),
        "ankle": ("foot", "foot1"),
        "foot": ("toebase", "toe", "ball", "toes", "toe0", "footend"),
        "shoulder": ("arm", "upperarm", "shldr", "uparm", "upperarm01", "humerus"),
        "elbow": ("forearm", "lowerarm", "lowarm", "lowerarm01", "radius"),
        "wrist": ("hand", "wrist"),
    },
    {
        "hip": ("hip",),
        "knee": ("knee",),
        "ankle": ("ankle",),
        "foot": ("toe", "foot", "toebase", "ball", "ankleend"),
        "shoulder": ("shoulder",),
        "elbow": ("elbow",),
        "wrist": ("wrist",),
    },
)
_HEAD: Final = ("head",)
_OPTIONAL: Final = ("foot",)
_SIDES: Final = {"left": ("left", "l"), "right": ("right", "r")}
_PREFIX: Final = re.compile(r"^(mixamorig\d*|(valvebiped)?bip\d+|def|ccbase|jbipc|jbip)")
# Joints closer than this in every frame are one joint, metres.
_SAME_PLACE: Final = 1e-3


def to_joints(skeleton: AnimatedSkeleton) -> Float[Tensor, "frames joints 3"]:
    """Positions of our 22 joints in the skeleton's own axes and units; NaN where it has none.

    A chain of two or more spine joints gives spine1 to spine3: its ends, and its middle, which lies
    between two joints where their number is even. A single one is spine2. Joints that coincide
    with the one they hang from are none.

    Raises ValueError for a skeleton without the names of arms and legs.
    """
    limbs = find_limbs(skeleton.names)
    joints = torch.full((len(skeleton.positions), NUM_JOINTS, 3), torch.nan)

    def put(name: str, *nodes: int) -> None:
        joints[:, J[name]] = skeleton.positions[:, list(nodes)].mean(1)

    for name, node in limbs.items():
        put(name, node)
    pelvis = _meeting(skeleton.parents, limbs["left_hip"], limbs["right_hip"])
    chest = _meeting(skeleton.parents, limbs["left_shoulder"], limbs["right_shoulder"])
    put("pelvis", pelvis)
    spine = _apart(skeleton, pelvis, _path(skeleton.parents, pelvis, chest))
    if spine:
        put("spine2", spine[(len(spine) - 1) // 2], spine[len(spine) // 2])
    if len(spine) > 1:
        put("spine1", spine[0])
        put("spine3", spine[-1])
    for side in _SIDES:
        collars = _path(skeleton.parents, chest, limbs[f"{side}_shoulder"])[:-1]
        for collar in _apart(skeleton, chest, collars)[-1:]:
            put(f"{side}_collar", collar)
    if "head" in limbs:
        necks = _path(skeleton.parents, chest, limbs["head"])[:-1]
        for neck in _apart(skeleton, chest, necks)[:1]:
            put("neck", neck)
    return joints


def find_limbs(names: Sequence[str]) -> dict[str, int]:
    """Which nodes are our hips, knees, ankles, feet, shoulders, elbows, wrists and head.

    Feet and head may be missing. Namespaces, prefixes, separators and capitals do not matter, and
    the side may stand before or after the part.
    """
    plain = [_plain(name) for name in names]
    found = [_family(plain, family) for family in LIMB_NAMES]
    complete = [
        limbs
        for limbs in found
        if all(
            f"{side}_{part}" in limbs
            for side in _SIDES
            for part in LIMB_NAMES[0]
            if part not in _OPTIONAL
        )
    ]
    if not complete:
        best = max(found, key=len)
        missing = [
            f"{side}_{part}"
            for side in _SIDES
            for part in LIMB_NAMES[0]
            if f"{side}_{part}" not in best and part not in _OPTIONAL
        ]
        raise ValueError(
            f"`names` must name both arms and legs, such as LeftUpLeg or l_hip; got "
            f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''} without "
            f"{', '.join(missing)}; rename the joints, or add their names to LIMB_NAMES."
        )
    return max(complete, key=len)


def _family(plain: list[str], family: dict[str, tuple[str, ...]]) -> dict[str, int]:
    limbs = {}
    for side, marks in _SIDES.items():
        for part, aliases in family.items():
            wanted = [name for a in aliases for mark in marks for name in (mark + a, a + mark)]
            node = next((plain.index(name) for name in wanted if name in plain), None)
            if node is not None:
                limbs[f"{side}_{part}"] = node
    head = next((plain.index(name) for name in _HEAD if name in plain), None)
    return limbs if head is None else limbs | {"head": head}


def _plain(name: str) -> str:
    """Small letters and digits only, without namespace and the prefixes of common rigs."""
    letters = re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())
    return _PREFIX.sub("", letters)


def _ancestors(parents: Sequence[int], node: int) -> list[int]:
    """The node, its parent, and so on to the root."""
    chain = [node]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain


def _meeting(parents: Sequence[int], a: int, b: int) -> int:
    """The nearest node above both."""
    above = set(_ancestors(parents, a))
    return next((node for node in _ancestors(parents, b) if node in above), a)


def _path(parents: Sequence[int], start: int, end: int) -> list[int]:
    """Nodes after the last one that `start` and `end` have in common, down to `end`."""
    above = set(_ancestors(parents, start))
    below = [node for node in _ancestors(parents, end) if node not in above]
    return below[::-1]


def _apart(skeleton: AnimatedSkeleton, start: int, path: list[int]) -> list[int]:
    """The nodes of the path that do not coincide with the one before them."""
    # In units of the leg, since the skeleton's own unit is not known here.
    limit = _SAME_PLACE * float(skeleton.offsets.norm(dim=-1).sum()) / 5
    kept: list[int] = []
    for node in path:
        last = kept[-1] if kept else start
        gap = (skeleton.positions[:, node] - skeleton.positions[:, last]).norm(dim=-1)
        if float(gap.max()) > limit:
            kept.append(node)
    return kept
