"""Videos read back from files."""

import contextlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def read_video(path: Path, most: int | None = None) -> Float[Tensor, "frames 3 height width"]:
    """The first `most` frames, or all, in sRGB, [0, 1].

    Raises FileNotFoundError, and ValueError for a file that is no video.
    """
    import imageio_ffmpeg

    if not path.is_file():
        raise FileNotFoundError(f"a video must be a file, got {path}; check the path.")
    frames: list[Tensor] = []
    try:
        with contextlib.closing(imageio_ffmpeg.read_frames(str(path))) as reader:
            width, height = next(reader)["size"]
            for raw in reader:
                pixels = np.frombuffer(raw, np.uint8).reshape(height, width, 3)
                frames.append(torch.from_numpy(pixels.copy()))
                if most is not None and len(frames) == most:
                    break
    except (OSError, RuntimeError, StopIteration) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} must be a video, got other data: {reason}.") from error
    if not frames:
        raise ValueError(f"{path} must hold frames, got none; make it anew.")
    return torch.stack(frames).permute(0, 3, 1, 2).float() / 255
