"""A clip of motion capture in our terms, whatever file it came from."""

import dataclasses
import functools
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.data.labels import actions_in
from motiondistill.data.windows import resample
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CapturedClip:
    """Joint positions of a clip, and its rotations where the source has them exactly."""

    name: str
    source: str
    """Names the skeleton: clips with the same source share its proportions and neutral pose."""
    subject: str
    """Who moved, as far as the file or its folder tells; empty if they do not."""
    label: str
    """A hint at the action: a caption, or words of the file's name or its folder's."""
    joints: Float[Tensor, "frames joints 3"]
    """World positions of the 22 joints, metres, +Y up; NaN for joints that the source lacks."""
    fps: float
    motion: Motion | None = None
    """Exact rotations of our joints, on the skeleton that `joints` shows; None where the source
    has only positions, or rotations from a rest pose of its own."""

    def at(self, fps: float) -> "CapturedClip":
        """The clip at another frame rate.

        Joints move on straight lines between frames, rotations on geodesics.
        """
        if fps == self.fps:
            return self
        frames = int((len(self.joints) - 1) / self.fps * fps + 1e-6) + 1
        motion = None if self.motion is None else resample(self.motion, 0.0, fps, frames)
        joints = interpolated(self.joints, torch.arange(frames) * (self.fps / fps))
        return dataclasses.replace(self, joints=joints, fps=fps, motion=motion)


def interpolated(
    joints: Float[Tensor, "frames joints 3"], places: Float[Tensor, " samples"]
) -> Float[Tensor, "samples joints 3"]:
    """Joints at fractional frames, on straight lines; frames beyond the ends repeat the last."""
    last = len(joints) - 1
    places = places.clamp(0, last)
    first = places.floor().long().clamp(max=max(last - 1, 0))
    part = (places - first).to(joints)[:, None, None]
    start = joints[first]
    return start + part * (joints[(first + 1).clamp(max=last)] - start)


def label_hint(path: Path, root: Path | None = None, said: str = "") -> str:
    """Words without numbers that tell the action of the clip in a file.

    Those of the first name with an action in it: what the file calls the clip (`said`), its own
    name, the folders below `root` from the nearest on, and `root` itself; without `root`, its one
    folder. A name of several actions is no less the first: further ones would be a guess. Where no
    name has an action, those of the first of `said`, the file's name and its folder's that has any
    words: take numbers, such as `07_01`, have none.
    """
    near = [bare_words(said), bare_words(path.stem), bare_words(path.absolute().parent.name)]
    names = [*near[:2], *map(bare_words, folders(path.absolute(), root))]
    with_action = (words for words in names if actions_in(words))
    return next(with_action, None) or next(filter(None, near), path.stem)


def bare_words(name: str) -> str:
    """The words of a name in small letters, without numbers, subjects and AMASS' endings."""
    bare = re.sub(r"(?i)subject\s*\d+|_(poses|stageii)$", " ", name)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[\W\d_]+", " ", bare))
    return " ".join(words.split()).lower()


def folders(path: Path, root: Path | None) -> Iterator[str]:
    """Names of the folders that a file is in, from the nearest on, `root` as the last."""
    top = path.parent if root is None else root.absolute()
    top = top if top in path.parents else path.parent
    for folder in path.parents:
        yield folder.name
        if folder == top:
            return


def subject_hint(path: Path, root: Path | None = None) -> str:
    """Who moved: `subject5` in the file's name, else the folders between `root` and the file."""
    named = re.search(r"(?i)subject[\s_]*(\d+)", path.stem)
    if named:
        return f"subject{named[1]}"
    if root is None or not path.is_relative_to(root):
        return ""
    return "/".join(path.relative_to(root).parent.parts)


@functools.cache
def tell_rate(what: str, fps: float, whose: str) -> None:
    """Logs, once for each kind of file, which rate files are taken to have that carry none."""
    _log.warning(
        "%s carry no frame rate: %g frames a second are assumed, those of %s; no setting changes "
        "that: resample others to it, or give them as BVH, glTF or SMPL's .npz, which tell theirs",
        what,
        fps,
        whose,
    )
