"""Clips as latents: what denoisers learn from."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from embedded_training.clips import Clips, shard_path
from embedded_training.shards import stored
from motiondistill.checkpoints import Tree, load_checkpoint

_AT_ONCE = 8


@dataclass(frozen=True)
class Encoded:
    """Latents of clips with what they show."""

    latents: Float[Tensor, "N C f h w"]
    labels: tuple[tuple[str, str], ...]
    """Action and side of every clip."""
    views: tuple[int, ...]
    """For every clip the index of its view in `VIEW_NAMES`."""

    def __len__(self) -> int:
        return len(self.labels)


def encode_shards(
    folder: Path, clips: Clips, codec: Any, *, origin: str, share: slice
) -> Iterator[int]:
    """Encodes the shards of `share` that are missing; yields the number of clips done so far.

    `origin` names the codec's weights: files of other ones raise ValueError.
    """
    codec = codec.eval().requires_grad_(False)
    done = 0
    for shard in range(len(clips.videos))[share]:
        part = clips.shard(shard)

        def make(part: Clips = part) -> Tree:
            (videos,) = part.videos
            return {
                "latents": encode(codec, videos),
                "labels": [list(label) for label in part.labels],
                "views": list(part.views),
            }

        stored(shard_path(folder, shard), {**asdict(clips.plan), "codec": origin}, make)
        done += len(part)
        yield done


def read_encoded(folder: Path) -> Encoded:
    """All clips that were encoded into the folder, all of them in memory."""
    paths = sorted(folder.glob("shard_*.safetensors"))
    if not paths:
        raise FileNotFoundError(
            f"`{folder}` must hold encoded clips, but has none; train the video prior first."
        )
    shards = [load_checkpoint(path)["value"] for path in paths]
    return Encoded(
        torch.cat([shard["latents"] for shard in shards]),
        tuple((action, side) for shard in shards for action, side in shard["labels"]),
        tuple(view for shard in shards for view in shard["views"]),
    )


@torch.no_grad()
def encode(codec: Any, videos: Tensor) -> Float[Tensor, "N C f h w"]:
    """The latents of videos [N F 3 H W] in bytes, on the CPU."""
    parts = []
    for batch in videos.split(_AT_ONCE):
        images = batch.flatten(0, 1).to(codec.device).float() / 127.5 - 1
        modes = codec.encode(images).latent_dist.mode().cpu()
        parts.append(modes.unflatten(0, batch.shape[:2]).transpose(1, 2))
    return torch.cat(parts)
