"""A moving body as data for the player of the report: small, and exact to a fraction of 0.1 mm."""

import base64
import zlib
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.render.appearance import part_palette
from motiondistill.structures import Mesh

_LEVELS: Final = 2**16 - 1
# Of vertices before compression, in which they lose about half: what a page can well carry.
_MAX_BYTES: Final = 24_000_000


def animation(mesh: Mesh, fps: float, heading: float) -> dict[str, Any]:
    """One posed clip (no batch) for `page/body.js`, as values for JSON.

    Vertices are whole numbers of 16 bits within the clip's bounding box, differences from frame to
    frame, compressed. Of a clip that is too large only every n-th frame is kept, and the last: the
    player goes straight from one to the next.

    Args:
        mesh: Vertices `[F V 3]`, metres.
        fps: Frames a second.
        heading: The azimuth that the subject faces, radians: where the player looks from first.
    """
    vertices = mesh.vertices.detach().cpu()
    keys = key_frames(len(vertices), vertices[0].numel() * 2, _MAX_BYTES)
    low, high = vertices.amin((0, 1)), vertices.amax((0, 1))
    return {
        "frames": len(vertices),
        "fps": fps,
        "heading": heading,
        "keys": keys.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "vertices": _packed(_differences(vertices[keys], low, high)),
        "faces": _packed(mesh.faces.cpu().numpy().astype("<u4")),
        "parts": _packed(mesh.parts.cpu().numpy().astype(np.uint8)),
        "palette": part_palette().tolist(),
    }


def key_frames(frames: int, frame_bytes: int, most: int) -> Int[Tensor, " keys"]:
    """Which of so many frames of so many bytes are kept: all, or every n-th one and the last.

    About `most` bytes of them.
    """
    stride = max(1, -(-frames * frame_bytes // most))
    last = torch.tensor([frames - 1])
    return torch.cat([torch.arange(0, frames - 1, stride), last])


def _differences(
    vertices: Float[Tensor, "frames vertices 3"], low: Float[Tensor, "3"], high: Float[Tensor, "3"]
) -> NDArray[np.uint8]:
    """Differences of the quantised vertices modulo 2^16: all low bytes, then all high ones.

    The first frame is its own difference from zero. The bytes apart compress better.
    """
    span = (high - low).clamp(min=1e-6)
    levels = ((vertices - low) / span * _LEVELS).round().numpy().astype(np.uint16)
    steps = np.diff(levels, axis=0, prepend=np.zeros_like(levels[:1])).reshape(-1)
    return np.stack([steps & 255, steps >> 8]).astype(np.uint8)


def _packed(array: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
