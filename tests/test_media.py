"""Videos and strips as players and people will see them."""

from pathlib import Path

import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest
import torch

from motiondistill.render.background import FACE_NAMES
from motiondistill.report.media import (
    enlarge,
    read_cube_map,
    read_image,
    save_batches,
    save_strip,
    save_video,
    shrink_tile,
    strip_frames,
)

# Flat colours pass through 8-bit yuv420p and x264, whose roundings stay below 4/255 (measured).
CODING_ERROR = 6 / 255


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (300, 301)])
def test_a_video_is_playable_even_large_enough_and_of_the_right_colours(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    video = torch.zeros(5, 3, *size)
    video[:, 0, :, : size[1] // 2] = 1  # red on the left
    video[3:, 2] = 1  # blue joins in later
    save_video(tmp_path / "a.mp4", video, fps=8.0, loops=2)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    meta = next(reader)
    width, height = meta["size"]
    assert min(width, height) >= 256
    assert width % 2 == height % 2 == 0
    assert (meta["fps"], meta["codec"]) == (8.0, "h264")
    assert meta["pix_fmt"].startswith("yuv420p")
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) / 255 for frame in reader]
    assert len(frames) == 10
    for index, blue in ((0, 0), (4, 1), (5, 0), (9, 1)):
        left, right = frames[index][height // 2, [width // 4, 3 * width // 4]]
        assert np.abs(left - [1, 0, blue]).max() < CODING_ERROR
        assert np.abs(right - [0, 0, blue]).max() < CODING_ERROR
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(("frames", "columns"), [(1, 1), (5, 5), (16, 8)])
def test_a_strip_has_a_row_a_view_and_its_frames_in_order(
    tmp_path: Path, frames: int, columns: int
) -> None:
    time = torch.arange(frames) / max(1, frames - 1)
    videos = torch.stack([time, 1 - time])[:, :, None, None, None].expand(2, frames, 3, 64, 64)
    save_strip(tmp_path / "a.png", videos)
    image = imageio.v3.imread(tmp_path / "a.png").astype(int)
    assert image.shape == (256, 128 * columns, 3)
    top, bottom = image[64, 64::128, 0], image[192, 64::128, 0]
    assert (abs(top + bottom - 255) <= 1).all()  # halves are rounded to even
    assert (np.diff(top) > 0).all()
    assert top[0] == 0
    assert frames == 1 or top[-1] == 255


@pytest.mark.parametrize(("side", "expected"), [(100, 100), (256, 256), (511, 511), (512, 256)])
def test_large_tiles_are_averaged_by_a_whole_factor(side: int, expected: int) -> None:
    tile = torch.rand(2, 3, side, side + 2, generator=torch.Generator().manual_seed(0))
    small = shrink_tile(tile)
    assert small.shape[-2] == expected
    factor = side // expected
    assert torch.allclose(small[1, 2, 0, 0], tile[1, 2, :factor, :factor].mean())


@pytest.mark.parametrize("count", [1, 2, 8, 9, 81])
def test_a_strip_shows_the_first_frame_the_last_and_others_between(count: int) -> None:
    frames = strip_frames(count).tolist()
    assert frames[0] == 0 and frames[-1] == count - 1 and len(frames) == min(count, 8)
    assert len(set(frames)) == len(frames)


def test_a_video_that_comes_in_batches_is_the_same_file(tmp_path: Path) -> None:
    video = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    save_video(tmp_path / "whole.mp4", video, fps=8.0, loops=1)
    save_batches(tmp_path / "parts.mp4", iter([video[:2], video[2:3], video[3:]]), 8.0)
    assert (tmp_path / "parts.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_enlarging_repeats_pixels() -> None:
    video = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    large = enlarge(video, 16)
    assert large.shape == (2, 3, 20, 28)
    assert torch.equal(large[..., 2::4, 2::4], video)
    assert torch.equal(enlarge(video, 3), video)


def pixels(kind: str) -> np.ndarray:
    """Two rows of three pixels: red above left, else black, in one of the ways files have."""
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0, 0] = (255, 51, 0)
    match kind:
        case "rgb":
            return rgb
        case "rgba":
            return np.concatenate([rgb, np.full((2, 3, 1), 128, np.uint8)], -1)
        case "grey":
            return rgb[..., 0]
        case _:
            return rgb[..., 0].astype(np.uint16) * 257


@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey", "grey of 16 bits"])
def test_images_are_read_as_three_channels_from_0_to_1(tmp_path: Path, kind: str) -> None:
    imageio.v3.imwrite(tmp_path / "a.png", pixels(kind))
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 2, 3) and image.dtype == torch.float32
    first = [1.0, 0.2, 0.0] if kind.startswith("rgb") else [1.0, 1.0, 1.0]
    assert image[:, 0, 0].tolist() == pytest.approx(first)
    assert float(image.sum()) == pytest.approx(sum(first))


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must be a file, got '.*nowhere\.png'"):
        read_image(tmp_path / "nowhere.png")
    for content in (b"", b"words", b"\x89PNG\r\n\x1a\nbroken"):
        (tmp_path / "words.png").write_bytes(content)
        with pytest.raises(ValueError, match="an image must be readable as an image"):
            read_image(tmp_path / "words.png")


@pytest.mark.parametrize("names", [FACE_NAMES, ("px", "nx", "py", "ny", "pz", "nz")])
def test_a_cube_map_is_six_named_images(tmp_path: Path, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        imageio.v3.imwrite(tmp_path / f"{name}.png", np.full((4, 4, 3), 40 * index, np.uint8))
    faces = read_cube_map(tmp_path)
    assert faces.shape == (6, 3, 4, 4)
    assert faces[:, 0, 0, 0].tolist() == pytest.approx([40 * index / 255 for index in range(6)])
    imageio.v3.imwrite(tmp_path / f"{names[5]}.png", np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="must hold squares of one size, got 4 x 4, 4 x 5"):
        read_cube_map(tmp_path)
    (tmp_path / f"{names[2]}.png").unlink()
    with pytest.raises(ValueError, match=r"one image named top \(or py\), got 0"):
        read_cube_map(tmp_path)
