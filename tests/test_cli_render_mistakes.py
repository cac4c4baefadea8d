"""`motiondistill render` tells every mistake in one line, and leaves all files alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from walk_file import SMALL, save, walk

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import objects
from motiondistill.cli import main


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """Undoes what the command sets for the whole process."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MISSING"], "`FILE` must be a motion file or a run's folder, got MISSING; check "),
        (["EMPTY"], "`FILE` must be a motion file or a run's folder, got EMPTY"),
        (
            ["TEXT"],
            "`FILE` must be a motion file or a run's folder, got TEXT, which is none of ours",
        ),
        (["OTHER"], "`FILE` must be a motion file: OTHER must hold rotations, translation, "),
        (
            ["NAN"],
            "`FILE` must be a motion file: NAN must hold finite positions and rotation matrices, ",
        ),
        (["RUN", "--out", "a.gif"], "`--out` must end in .mp4, got a.gif; name it a.mp4."),
        (["RUN", "--out", "/proc/a.mp4"], "`--out` must be in a folder that can be written"),
        (["RUN", "--out", "used.mp4"], "`--out` must name new files, got used.mp4, which exists"),
        (["RUN", "--out", "strip.mp4"], "`--out` must name new files, got strip.png, which"),
        (["RUN", "--out", "v.mp4", "output.kind=depth"], "`--out` must name new files, got v_dep"),
        (
            ["RUN", "--out", "a.mp4", "camera.view=[front]"],
            "`camera.view` is not a key of `rende",
        ),
        (["RUN", "--out", "a.mp4", "camera.views=[top]"], "`camera.views` must hold angles or"),
        (["RUN", "--out", "a.mp4", "camera.size=[8,64]"], "`camera.size` must be between 16 and"),
        (["RUN", "--out", "a.mp4", "camera.path=fly"], "`camera.path` must be one of still, turn,"),
        (["RUN", "--out", "a.mp4", "camera.path=key_frames"], "`camera.key_frames` must hold at"),
        (["RUN", "--out", "a.mp4", "output.kind=smell"], "`output.kind` must be one of colours, "),
        (["RUN", "--out", "a.mp4", "output.labels=perhaps"], "`output.labels` must be true or fal"),
        (["RUN", "--out", "a.mp4", "output.fps=0"], "`output.fps` must be between 1 and 240"),
        (["RUN", "--out", "a.mp4", "score.views=3"], "`score.views` is not a key of `render`; it"),
        (["RUN", "--out", "a.mp4", "body.name=smplx", "body.age=0.2"], "`body.age` must be left"),
        (["RUN", "--out", "a.mp4", "render.outfit=3"], "`render.outfit` must be left out with re"),
        (["RUN", "--out", "a.mp4", "render.light=[0,0,0]"], "`render.light` must not be zero, got"),
        (
            [
                *["RUN", "--out", "a.mp4", "render.background=cube"],
                "render.background_file=gone",
                *SMALL,
            ],
            "`render.background_file` must be a folder of six images, got 'gone'; check the path.",
        ),
        (
            ["RUN", "--out", "a.mp4", "output.kind=tracklets", "output.points=2000", *SMALL],
            "`output.points` must be at most 1229 on this body, got 2000",
        ),
        (
            ["RUN", "--out", "a.mp4", "camera.key_frames=[{azimuth: 1}]"],
            "`camera.key_frames[0].time` must be given; add it.",
        ),
        (
            ["RUN", "--out", "a.mp4", "camera.key_frames=[{time: 0, azimut: 1}]"],
            "`camera.key_frames` must be a list of {time: a number, azimuth: a number, elevation: ",
        ),
        (
            ["RUN", "--out", "a.mp4", "camera.key_frames=[{time: 0}, {time: 1, elevation: 2}]"],
            "`camera.key_frames` must be left out with camera.path=still; add camera.path=key_fr",
        ),
        (
            [
                *["RUN", "--out", "a.mp4", "camera.path=key_frames"],
                "camera.key_frames=[{time: 0}, {time: 1, elevation: 2}]",
            ],
            "`camera.key_frames[1].elevation` must be between -1.5 and 1.5, got 2.0; ",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    run_folder: Path,
    low_body: SkinnedBody,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(objects, "anny_body", lambda *_: low_body)
    monkeypatch.chdir(tmp_path)
    Path("TEXT").write_text("no motion")
    Path("EMPTY").mkdir()
    with Path("OTHER").open("wb") as other:
        np.savez(other, frames=np.zeros(3))
    broken = walk(low_body)
    broken.translation[2, 1] = torch.nan
    save(Path("nan.npz"), broken, low_body)
    Path("nan.npz").rename("NAN")
    for name in ("used.mp4", "strip.png", "v_depth.npz"):
        Path(name).write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    words = [str(run_folder) if word == "RUN" else word for word in arguments]
    assert main(["render", *words]) == 2
    *log, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"motiondistill: error: {message}")
    assert not any("Traceback" in line for line in log)
    if words[0] in ("TEXT", "OTHER"):
        assert last.endswith("; name a run's folder or its motion.npz.")
    assert sorted(tmp_path.rglob("*")) == before
    assert Path("used.mp4").read_bytes() == b"mine"
