"""Which bones of Anny our joints drive.

Bones that no joint drives move rigidly with their nearest driven ancestor, so their skinning
weights are added to that joint's, which is exact for linear blend skinning.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from motiondistill.body.skeleton import DETAILED_NAMES
from motiondistill.structures import HAND_NAMES, JOINT_INDEX, JOINT_NAMES

_CENTRAL_BONES: Final = {
    "pelvis": "root",
    "spine1": "spine05",
    "spine2": "spine03",
    "spine3": "spine02",
    "neck": "neck01",
    "head": "head",
}
_SIDE_BONES: Final = {
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    "foot": "toe2-1",
    "collar": "clavicle",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
}
_BONES: Final = _CENTRAL_BONES | {
    f"{side}_{joint}": f"{bone}.{side[0].upper()}"
    for side in ("left", "right")
    for joint, bone in _SIDE_BONES.items()
}
BONE_OF_JOINT: Final = {name: _BONES[name] for name in JOINT_NAMES}
_FINGERS: Final = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
BONE_OF_FINGER: Final = {
    name: f"finger{_FINGERS[name.split('_')[1][:-1]]}-{name[-1]}.{name[0].upper()}"
    for name in HAND_NAMES
}
# All five toes follow the foot joint, which Anny has no single bone for.
_TOES: Final = tuple(f"toe{toe}-1" for toe in range(1, 6))
OWN_JOINTS: Final = {bone: JOINT_INDEX[joint] for joint, bone in BONE_OF_JOINT.items()} | {
    f"{toe}.{side[0].upper()}": JOINT_INDEX[f"{side}_foot"]
    for side in ("left", "right")
    for toe in _TOES
}
OWN_DETAILED: Final = OWN_JOINTS | {
    bone: DETAILED_NAMES.index(joint) for joint, bone in BONE_OF_FINGER.items()
}


def driving_joints(
    bones: Sequence[str], parents: Sequence[int], own: Mapping[str, int] = OWN_JOINTS
) -> list[int]:
    """For every bone, the joint that moves it: its own, or that of its nearest driven ancestor."""
    joints: list[int] = []
    for bone in range(len(bones)):
        ancestor = bone
        while bones[ancestor] not in own:
            ancestor = int(parents[ancestor])
            if ancestor < 0:
                raise ValueError(
                    f"Anny's bone {bones[bone]!r} has no ancestor that a joint drives."
                )
        joints.append(own[bones[ancestor]])
    return joints
