"""Videos and strips as players and people will see them."""

from pathlib import Path

import imageio.v3
import imageio_ffmpeg
import numpy as np
import pytest
import torch

from motiondistill.report.media import enlarge, save_strip, save_video

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


def test_enlarging_repeats_pixels() -> None:
    video = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    large = enlarge(video, 16)
    assert large.shape == (2, 3, 20, 28)
    assert torch.equal(large[..., 2::4, 2::4], video)
    assert torch.equal(enlarge(video, 3), video)
