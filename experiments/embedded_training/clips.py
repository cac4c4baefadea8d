"""Training clips: motions rendered from named views, in files of a few hundred clips each."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from embedded_training.looks import random_look
from embedded_training.shards import stored
from motiondistill.body.base import Body
from motiondistill.cameras import Orbit
from motiondistill.checkpoints import Tree
from motiondistill.data.dataset import ActionDataset, Window, action_dataset, mocap_windows
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded, uniform
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene

FRAMES: Final = 16
FPS: Final = 8.0
SIZE: Final = 64
"""Height and width of the shipped prior's videos, pixels."""

# Clips of one view word stay close to its centre.
_AZIMUTH_JITTER = math.radians(10)


@dataclass(frozen=True)
class Plan:
    """All that the clips of a folder depend on, beside the motions."""

    count: int
    seed: int
    size: int
    """Height and width, pixels."""
    motions: str
    """Names the motions, so that those of other folders are not taken for them."""
    per_shard: int = 250

    @property
    def num_shards(self) -> int:
        """How many files hold the clips."""
        return -(-self.count // self.per_shard)


@dataclass(frozen=True)
class Clips:
    """Videos with what they show."""

    plan: Plan
    videos: tuple[UInt8[Tensor, "_ frames 3 height width"], ...]
    """A tensor a shard."""
    labels: tuple[tuple[str, str], ...]
    """Action and side of every clip, or none where only pictures matter; so are the views."""
    views: tuple[int, ...]
    """For every clip the index of its view in `VIEW_NAMES`."""

    def __len__(self) -> int:
        return sum(len(part) for part in self.videos)

    def shard(self, index: int) -> "Clips":
        """The clips of one shard."""
        first = index * len(self.videos[0])
        these = slice(first, first + len(self.videos[index]))
        return Clips(self.plan, (self.videos[index],), self.labels[these], self.views[these])

    @property
    def num_frames(self) -> int:
        """Of one clip."""
        return self.videos[0].shape[1]

    def frames(
        self, clip: Int[Tensor, " B"], frame: Int[Tensor, " B"]
    ) -> UInt8[Tensor, "B 3 height width"]:
        """One frame of each of these clips."""
        per_shard = len(self.videos[0])
        pairs = zip(clip.tolist(), frame.tolist(), strict=True)
        return torch.stack([self.videos[c // per_shard][c % per_shard, f] for c, f in pairs])


def make_dataset(
    mocap: Path | None, rest_joints: Float[Tensor, "joints 3"], frames: int
) -> ActionDataset:
    """The motions, without a folder parametric ones alone."""
    windows = mocap_windows(mocap, rest_joints, FPS, frames) if mocap else []
    return action_dataset(windows, rest_joints, FPS, frames)


def name_motions(dataset: ActionDataset) -> str:
    """Tells the data set from others, for `Plan.motions`."""
    windows = sum(len(clip) for found in dataset.windows.values() for clip in found)
    return f"{windows} windows; {', '.join(dataset.actions)}"


def render_shards(
    folder: Path, plan: Plan, motion: Callable[[int], Window], body: Body, *, share: slice
) -> Iterator[int]:
    """Renders the shards of `share` that are missing; yields the number of clips done so far.

    `motion` gives the window of every index. Files of another plan raise ValueError.
    """
    done = 0
    for shard in range(plan.num_shards)[share]:
        indices = _indices(plan, shard)
        stored(
            shard_path(folder, shard),
            asdict(plan),
            lambda indices=indices: _render(indices, plan, motion, body),
        )
        done += len(indices)
        yield done


def shard_path(folder: Path, shard: int) -> Path:
    """The file of a shard."""
    return folder / f"shard_{shard:05d}.safetensors"


def read_clips(folder: Path, plan: Plan) -> Clips:
    """The clips of all shards, which must be there."""

    def missing() -> Tree:
        raise FileNotFoundError(f"a shard is missing in `{folder}`; render the clips anew.")

    shards = [
        stored(shard_path(folder, shard), asdict(plan), missing) for shard in range(plan.num_shards)
    ]
    return Clips(
        plan,
        tuple(shard["videos"] for shard in shards),
        tuple((action, side) for shard in shards for action, side in shard["labels"]),
        tuple(view for shard in shards for view in shard["views"].tolist()),
    )


def _indices(plan: Plan, shard: int) -> range:
    return range(shard * plan.per_shard, min((shard + 1) * plan.per_shard, plan.count))


@torch.no_grad()
def _render(
    indices: range, plan: Plan, motion: Callable[[int], Window], body: Body
) -> dict[str, Tree]:
    """Videos, action and side of each, and views, of one shard."""
    scene, cameras = Scene(CpuRasterizer()), Orbit(size=(plan.size, plan.size))
    videos, labels, views = [], [], []
    for index in indices:
        window = motion(index)
        generator = seeded(plan.seed, index, "picture")
        view = int(torch.randint(len(VIEW_NAMES), (), generator=generator))
        jitter = uniform(generator, -_AZIMUTH_JITTER, _AZIMUTH_JITTER)
        azimuth = torch.tensor([view * 2 * math.pi / len(VIEW_NAMES) + jitter])
        video = random_look(scene, generator)(body(window.motion), cameras(azimuth))[0]
        videos.append((video.clamp(0, 1) * 255).round().to(torch.uint8))
        labels.append([window.action, window.side])
        views.append(view)
    return {"videos": torch.stack(videos), "labels": labels, "views": torch.tensor(views)}
