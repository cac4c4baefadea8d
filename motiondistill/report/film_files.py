"""A film as files: a video, a strip of its frames, and the values behind its pictures."""

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.atomic import write_atomically
from motiondistill.film.drawing import Film, shoot
from motiondistill.report.labels import label
from motiondistill.report.media import save_batches, save_strip, shrink_tile, strip_frames


def film_paths(path: Path, kind: str) -> list[Path]:
    """The files of a film: `path`, the strip, and the values of every kind but `colours`."""
    strip, values = path.with_suffix(".png"), path.with_name(f"{path.stem}_{kind}.npz")
    return [path, strip] if kind == "colours" else [path, strip, values]


def write_film(
    paths: list[Path], film: Film, *, labels: bool, report: Callable[..., object]
) -> None:
    """Draws the film into files, each of which is whole or absent.

    Args:
        paths: See `film_paths`.
        film: What is drawn.
        labels: Whether several views have their names in a corner.
        report: A `Reporter`, or what takes the same: is told how many frames are done.
    """
    count = film.motion.num_frames
    chosen, tiles = set(strip_frames(count).tolist()), []

    with _Values(paths[0].parent, (len(film.views), count)) as values:

        def grids() -> Iterator[Float[Tensor, "frames 3 height width"]]:
            done = 0
            for batch in shoot(film):
                video = batch.video
                if labels and len(film.views) > 1:
                    named = zip(video, film.views, strict=True)
                    video = torch.stack([label(view, name) for view, name in named])
                for frame in range(video.shape[1]):
                    if done + frame in chosen:
                        tiles.append(shrink_tile(video[:, frame]))
                for name, value in batch.data.items():
                    values.put(name, done, value)
                done += video.shape[1]
                yield side_by_side(video)
                report(done, count=video.shape[1])

        save_batches(paths[0], grids(), film.motion.fps)
        save_strip(paths[1], torch.stack(tiles, 1))
        if len(paths) > 2:
            values.save(paths[2], _origin(film))


def side_by_side(
    video: Float[Tensor, "views frames 3 height width"],
) -> Float[Tensor, "frames 3 tall wide"]:
    """All views in one picture: up to three in a row, more in rows of about equal number.

    Places that are left over are black.
    """
    views = len(video)
    rows = math.isqrt(views)
    columns = math.ceil(views / rows)
    empty = torch.zeros_like(video[:1]).expand(rows * columns - views, *video.shape[1:])
    tiles = torch.cat([video, empty])
    lines = [torch.cat(list(tiles[i : i + columns]), -1) for i in range(0, len(tiles), columns)]
    return torch.cat(lines, -2)


class _Values:
    """Arrays that grow frame by frame on the disk, in files that vanish with their process."""

    def __init__(self, folder: Path, leading: tuple[int, int]) -> None:
        self.folder, self.leading = folder, leading
        self.arrays: dict[str, NDArray[Any]] = {}
        self.files = contextlib.ExitStack()

    def __enter__(self) -> "_Values":
        return self

    def __exit__(self, *_: object) -> None:
        self.arrays.clear()
        self.files.close()

    def put(self, name: str, start: int, values: Shaped[Tensor, "views frames ..."]) -> None:
        """Keeps these values of the frames from `start` on."""
        content = values.detach().cpu().numpy()
        if name not in self.arrays:
            file = self.files.enter_context(tempfile.TemporaryFile(dir=self.folder))
            shape = (*self.leading, *content.shape[2:])
            self.arrays[name] = np.memmap(file, content.dtype, "w+", shape=shape)
        self.arrays[name][:, start : start + content.shape[1]] = content

    def save(self, path: Path, notes: dict[str, Any]) -> None:
        """The arrays and the notes on them, as `.npz` that needs no pickle."""
        content: dict[str, Any] = {**self.arrays, **notes}
        write_atomically(path, lambda part: np.savez_compressed(part, **content))


def _origin(film: Film) -> dict[str, Any]:
    """What a reader of the values has to know: the cameras, the frame rate, names and units."""
    cameras = film.cameras
    return {
        "fps": np.float64(film.motion.fps),
        "views": np.array(film.views),
        "camera_from_world": cameras.camera_from_world.numpy(),
        "fov_y": torch.as_tensor(cameras.fov_y).numpy(),
        **{name: np.asarray(value) for name, value in film.picture.meaning.items()},
    }
