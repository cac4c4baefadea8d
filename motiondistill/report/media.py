"""Videos, strips and images as files."""

import contextlib
import itertools
import math
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.render.background import FACE_NAMES

_MIN_VIDEO_SIDE: Final = 256
_MIN_TILE_SIDE: Final = 128
_MAX_COLUMNS: Final = 8
# Visually lossless for flat colours, in x264's scale of 0 (exact) to 51.
_QUALITY: Final = "17"
_SHORT_NAMES: Final = ("px", "nx", "py", "ny", "pz", "nz")


def save_video(
    path: Path, video: Float[Tensor, "frames 3 height width"], fps: float, *, loops: int = 2
) -> None:
    """The video as H.264 (.mp4) that any player and browser shows, played `loops` times.

    Small videos are enlarged by a whole factor to at least 256 pixels, without blur.
    """
    save_batches(path, itertools.repeat(video, loops), fps)


def save_batches(
    path: Path, batches: Iterable[Float[Tensor, "frames 3 height width"]], fps: float
) -> None:
    """The same of a video that comes batch by batch and never is in memory as a whole."""

    def write(part: Path) -> None:
        with contextlib.ExitStack() as stack:
            encoder = None
            for batch in batches:
                frames = enlarge(batch, _MIN_VIDEO_SIDE)
                # The chroma of yuv420p is half as large in both directions: sides must be even.
                height, width = frames.shape[-2] // 2 * 2, frames.shape[-1] // 2 * 2
                if encoder is None:
                    encoder = stack.enter_context(_encoder(part, height, width, fps))
                for frame in to_bytes(frames[..., :height, :width]):
                    encoder.send(frame.numpy().tobytes())

    write_atomically(path, write)


def save_strip(path: Path, videos: Float[Tensor, "views frames 3 height width"]) -> None:
    """One image (.png): a row for each view, and up to eight frames, evenly spread, as columns."""
    import imageio.v3

    chosen = strip_frames(videos.shape[1])
    tiles = torch.stack([enlarge(video, _MIN_TILE_SIDE) for video in videos[:, chosen]])
    rows = torch.cat(list(tiles.unbind(1)), -1)
    image = to_bytes(torch.cat(list(rows), -2)[None])[0].numpy()
    write_atomically(path, lambda part: imageio.v3.imwrite(part, image))


def strip_frames(count: int) -> Int[Tensor, " columns"]:
    """Which of `count` frames a strip shows."""
    return torch.linspace(0, count - 1, min(count, _MAX_COLUMNS)).round().long()


def shrink_tile(
    tile: Float[Tensor, "*batch 3 height width"], max_side: int = 256
) -> Float[Tensor, "*batch 3 rows columns"]:
    """The image averaged by a whole factor until its shorter side is below twice `max_side`."""
    factor = max(1, min(tile.shape[-2:]) // max_side)
    flat = torch.nn.functional.avg_pool2d(tile.flatten(0, -4), factor)
    return flat.reshape(*tile.shape[:-2], *flat.shape[-2:])


def read_image(path: Path, name: str = "an image") -> Float[Tensor, "3 rows columns"]:
    """The image in sRGB, [0, 1], row 0 at the top; transparency is dropped.

    Raises FileNotFoundError, and ValueError for a file that is no image; errors call it `name`.
    """
    import imageio.v3

    if not path.is_file():
        raise FileNotFoundError(f"{name} must be a file, got {str(path)!r}; check the path.")
    try:
        pixels = imageio.v3.imread(path, index=0, plugin="pillow", rotate=True)
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for broken files
        raise ValueError(
            f"{name} must be readable as an image, such as PNG or JPEG, got {str(path)!r}; "
            f"convert it: {error}."
        ) from error
    most = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    image = torch.from_numpy(pixels.astype(np.float32) / most)
    if image.ndim == 2 or image.shape[-1] == 2:  # grey, perhaps with transparency
        image = image.reshape(*image.shape[:2], -1)[..., :1].expand(-1, -1, 3)
    return image[..., :3].permute(2, 0, 1)


def read_cube_map(folder: Path, name: str = "a cube map") -> Float[Tensor, "6 3 side side"]:
    """Six square images named after `FACE_NAMES`, or px, nx, py, ny, pz and nz, as a cube map.

    See `CubeMap` for how they lie. The short names are the usual ones of packs whose right is +X
    and whose front is +Z, with the axes as graphics cards have them (left-handed).

    Raises FileNotFoundError, and ValueError for a folder with other images; errors call it `name`.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{name} must be a folder of six images, got {str(folder)!r}; check the path."
        )
    faces = []
    for names in zip(FACE_NAMES, _SHORT_NAMES, strict=True):
        found = [path for face in names for path in sorted(folder.glob(f"{face}.*"))]
        if len(found) != 1:
            raise ValueError(
                f"{name} must hold one image named {names[0]} (or {names[1]}), got "
                f"{len(found)} in {str(folder)!r}; the six are {', '.join(FACE_NAMES)}."
            )
        faces.append(read_image(found[0], name))
    sizes = {tuple(face.shape[1:]) for face in faces}
    if len(sizes) > 1 or any(rows != columns for rows, columns in sizes):
        raise ValueError(
            f"{name} must hold squares of one size, got "
            f"{', '.join(f'{rows} x {columns}' for rows, columns in sorted(sizes))} in "
            f"{str(folder)!r}; scale them alike."
        )
    return torch.stack(faces)


@contextlib.contextmanager
def _encoder(
    part: Path, height: int, width: int, fps: float
) -> Iterator[Generator[None, Any, None]]:
    """What takes frames by `send`, and has written them all once its `with` has ended."""
    import imageio_ffmpeg

    writer = cast(
        Generator[None, Any, None],
        imageio_ffmpeg.write_frames(
            str(part),
            (width, height),
            fps=fps,
            codec="libx264",
            pix_fmt_out="yuv420p",
            macro_block_size=1,
            ffmpeg_log_level="error",
            output_params=["-crf", _QUALITY],
        ),
    )
    writer.send(None)
    try:
        yield writer
    finally:
        writer.close()


def enlarge(
    video: Float[Tensor, "frames 3 height width"], min_side: int
) -> Float[Tensor, "frames 3 tall wide"]:
    """The video with every pixel repeated until the shorter side has at least `min_side` pixels."""
    factor = max(1, math.ceil(min_side / min(video.shape[-2:])))
    return video.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def to_bytes(
    video: Float[Tensor, "frames 3 height width"],
) -> UInt8[Tensor, "frames height width 3"]:
    """8-bit pixels, channels last."""
    return (video.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
