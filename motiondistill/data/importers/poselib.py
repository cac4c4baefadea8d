"""poselib's SkeletonMotion in `.npy`: how Isaac Gym's AMP and its successors keep motions."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.importers.clip import CapturedClip, label_hint, subject_hint
from motiondistill.data.importers.joint_names import to_joints
from motiondistill.data.importers.placement import Up, guess_unit, upright
from motiondistill.data.importers.restricted_numpy import load_dictionary
from motiondistill.data.importers.skeleton import AnimatedSkeleton, from_quaternion, place

# The 15 bodies of AMP's humanoid, which is DeepMimic's: what it calls head is the joint of the
# neck, and its feet have no toes. Geometry of amp_humanoid.xml (x ahead, z up), metres.
_AMP: Final = frozenset(
    "pelvis torso head right_upper_arm right_lower_arm right_hand left_upper_arm left_lower_arm "
    "left_hand right_thigh right_shin right_foot left_thigh left_shin left_foot".split()
)
_AMP_TIPS: Final = (
    ("head", "neck", (0.0, 0.0, 0.175)),
    ("right_toe", "right_foot", (0.1335, 0.0, -0.0225)),
    ("left_toe", "left_foot", (0.1335, 0.0, -0.0225)),
)


def read_poselib(path: Path, *, root: Path | None = None, up: Up = "z") -> list[CapturedClip]:
    """The clip in a pickled SkeletonMotion; the pickle may hold arrays and dictionaries only.

    The head and toes of AMP's humanoid stand where its head's centre and the tips of its feet are.
    """
    content = load_dictionary(path)
    try:
        skeleton = _skeleton(content)
        joints = upright(to_joints(skeleton), up)
        joints = joints * guess_unit([joints])
    except KeyError as error:
        raise ValueError(
            f"{path} must be a SkeletonMotion with rotation, root_translation, skeleton_tree and "
            f"fps; {error} is missing. A SkeletonState is a pose, and no motion."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return [
        CapturedClip(
            path.stem,
            f"poselib-{skeleton.key}",
            subject_hint(path, root),
            label_hint(path.with_stem(path.stem.removeprefix("amp_humanoid_")), root),
            joints,
            skeleton.fps,
        )
    ]


def _skeleton(content: dict[str, Any]) -> AnimatedSkeleton:
    tree = content["skeleton_tree"]
    names = [str(name) for name in tree["node_names"]]
    parents = [int(parent) for parent in tree["parent_indices"]["arr"]]
    offsets = _numbers(tree["local_translation"], "skeleton_tree", (len(names), 3))
    turns = _numbers(content["rotation"], "rotation", (None, len(names), 4))
    moved = _numbers(content["root_translation"], "root_translation", (len(turns), 3))
    fps = float(np.asarray(content["fps"]))
    if not 0 < fps < float("inf"):
        raise ValueError(f"`fps` must be positive, got {fps}; check the file.")
    if not content["is_local"]:
        raise ValueError("`is_local` must be true, got global rotations; save them as local ones.")
    if len(parents) != len(names) or any(p >= node for node, p in enumerate(parents)):
        raise ValueError("`parent_indices` must name an earlier node for every node; check it.")
    matrices = from_quaternion(turns)
    if set(names) == _AMP:
        names = ["neck" if name == "head" else name for name in names]
        parents += [names.index(parent) for _, parent, _ in _AMP_TIPS]
        names += [name for name, *_ in _AMP_TIPS]
        offsets = torch.cat([offsets, torch.tensor([tip for *_, tip in _AMP_TIPS]).to(offsets)])
        still = torch.eye(3).to(matrices).expand(len(turns), len(_AMP_TIPS), 3, 3)
        matrices = torch.cat([matrices, still], 1)
    places = offsets.repeat(len(turns), 1, 1)
    places[:, 0] = moved
    positions = place(parents, matrices, places).float()
    return AnimatedSkeleton(tuple(names), tuple(parents), offsets.float(), positions, fps)


def _numbers(
    stored: dict[str, Any], name: str, shape: tuple[int | None, ...]
) -> Float[Tensor, "*shape"]:
    array = np.asarray(stored["arr"])
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind != "f" or not fits or not len(array) or not np.isfinite(array).all():
        wanted_shape = ", ".join("frames" if size is None else str(size) for size in shape)
        raise ValueError(
            f"`{name}` must be finite numbers of shape ({wanted_shape}), got {array.dtype} of "
            f"shape {array.shape}."
        )
    return torch.from_numpy(array.astype(np.float64))
