"""The viewer shows the motions that it is given, where its timeline stands, to this machine."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import opened_page
from small_problem import body

from motiondistill.cli import main
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.stages import Step
from motiondistill.motion.motion_file import load_motion
from motiondistill.randomness import seeded
from motiondistill.render.appearance import part_palette
from motiondistill.structures import Motion
from motiondistill.viewer import live
from motiondistill.viewer.clips import Clip, clip_of, numbered
from motiondistill.viewer.colours import BANDS, pieces
from motiondistill.viewer.stage import Stage

PORT = 8390
STEP = 0.5  # seconds


def motion(action: str = "jumping jacks") -> Motion:
    return parametric_motion(action, "right", seeded(0), body().rest_joints, 8.0, 16)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return [clip_of(f"a person {name}", motion(name), body()) for name in ("walk", "wave")]


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(port=PORT)
    yield made
    made.stop()


def test_a_clip_passes_through_the_motions_frames(clips: list[Clip]) -> None:
    own = body()(motion("walk"))
    clip = clips[0]
    assert clip.duration == pytest.approx(15 / 8, abs=1 / 60) and clip.fps == 30
    for frame in (0, 4, 12):  # 30 and 8 frames a second share every half second
        shown = torch.from_numpy(clip.vertices[clip.frame_at(frame / 8)])
        assert (shown - own.vertices[frame]).abs().max() < 1e-4
    assert (clip.frame_at(-1.0), clip.frame_at(99.0)) == (0, len(clip.vertices) - 1)


def test_a_clip_is_smooth_between_the_motions_frames() -> None:
    own = motion("wave")
    angle = 2 * torch.pi * torch.arange(own.num_frames) / own.fps  # once a second
    own.translation[:, 0] = angle.sin()
    path = torch.from_numpy(clip_of("a", own, body()).joints[:, 0, 0])
    acceleration = path.diff(n=2)[8:-8].abs().max() * 30**2
    # Straight lines between 8 poses a second reach nearly twice as much at each of them.
    assert acceleration == pytest.approx((2 * torch.pi) ** 2, rel=0.4)


def test_bones_join_parents_and_children(clips: list[Clip]) -> None:
    bones = clips[0].bones(3)
    assert bones.shape == (21, 2, 3)
    assert (bones[0] == clips[0].joints[3, [0, 1]]).all()  # the pelvis and the left hip


def area(corners: torch.Tensor) -> torch.Tensor:
    one, other, third = corners.unbind(1)
    return torch.linalg.cross(other - one, third - one).norm(dim=-1).sum() / 2


def test_pieces_are_the_whole_surface_once() -> None:
    mesh = body()(motion())
    vertices = mesh.vertices[0]
    found = pieces(mesh.faces, mesh.parts)
    corners = torch.cat(
        [torch.from_numpy(piece.points(vertices.numpy())[piece.faces]) for piece in found]
    )
    torch.testing.assert_close(area(corners), area(vertices[mesh.faces]), rtol=1e-5, atol=0)
    normals = [
        torch.linalg.cross(each[:, 1] - each[:, 0], each[:, 2] - each[:, 0]).sum(0)
        for each in (corners, vertices[mesh.faces])
    ]  # of a closed surface, so none is turned inside out
    torch.testing.assert_close(*normals, rtol=0, atol=1e-5)
    assert len({piece.name for piece in found}) == len({piece.colour for piece in found})


def test_colours_blend_between_parts_as_in_the_report() -> None:
    mesh = body()(motion())
    colours = part_palette()[mesh.parts].numpy()
    blended = skipped = 0
    for piece in pieces(mesh.faces, mesh.parts):
        blends = piece.points(colours)[piece.faces].mean(1)
        for blend, ends in zip(blends, piece.ends[piece.faces], strict=True):
            seen = np.unique(colours[ends].reshape(-1, 3), axis=0)
            if len(seen) > 2:  # one of the three is left out
                skipped += 1
                continue
            between = abs(seen[-1] - seen[0])
            assert (abs(blend - piece.colour) <= between / (2 * BANDS) + 1e-6).all()
            blended += len(seen) == 2
    assert blended > 20 * skipped


def steps_of(moved: Motion) -> Iterator[Step]:
    for index, phase in enumerate(("fit", "distill")):
        loss = torch.tensor(0.5 + index)
        yield Step(index, phase, loss, {}, moved, None)  # type: ignore[arg-type]


def test_the_timeline_plays_loops_and_can_be_dragged(stage: Stage, clips: list[Clip]) -> None:
    stage.show(clips)
    assert stage.seconds == 0
    stage.tick(STEP)
    assert stage.seconds == pytest.approx(0.5)
    stage._time.value = 1.5
    stage.tick(STEP)
    assert stage.seconds == pytest.approx(1.5), "where it was dragged to"
    assert not stage._play.value
    stage.tick(STEP)
    assert stage.seconds == pytest.approx(1.5), "what was dragged stays there"
    stage.toggle()
    stage.tick(STEP)
    assert stage.seconds == pytest.approx((2.0) % 1.88, abs=0.01), "from the beginning again"
    stage._play.value = False
    stage.tick(STEP)
    assert stage.seconds == pytest.approx(0.12, abs=0.02)
    stage._play.value, stage._speed.value = True, "2"
    stage.tick(0.25)
    assert stage.seconds == pytest.approx(0.62, abs=0.02)


def test_single_frames_are_stepped_through_around(stage: Stage, clips: list[Clip]) -> None:
    stage.step(1)
    assert stage.seconds == 0, "nothing is shown yet"
    stage.show(clips)
    stage.tick(0.2)
    shown = []
    count = len(clips[0].vertices)
    for by, frame in ((1, 7), (1, 8), (-9, count - 1), (1, 0)):
        stage.step(by)
        stage.tick(STEP)
        assert clips[0].frame_at(stage._seen) == frame, "it pauses"
        shown.append(stage._meshes[0][0].vertices.copy())
    wanted = clips[0].pieces[0].points(clips[0].vertices[0])
    assert abs(shown[-1] - wanted).max() < 1e-6
    assert abs(shown[-2] - wanted).max() > 1e-6


def test_body_or_bones_are_seen(stage: Stage, clips: list[Clip]) -> None:
    stage.show(clips[:1])
    for kind, expected in (
        ("body", (True, None, False)),
        ("both", (True, 0.3, True)),
        ("skeleton", (False, None, True)),
    ):
        stage._kind.value = kind
        stage.tick(0.0)
        mesh, bones = stage._meshes[0][-1], stage._bones[0]
        assert (mesh.visible, mesh.opacity, bones.visible) == expected
        stage.show(clips if len(stage._clips) == 1 else clips[:1])
        mesh, bones = stage._meshes[0][-1], stage._bones[0]
        assert (mesh.visible, mesh.opacity, bones.visible) == expected, "of others, too"


def test_names_stand_over_the_heads_and_are_told_apart(stage: Stage) -> None:
    assert numbered(["a", "b", "a"]) == ["a (1)", "b", "a (2)"]
    jumping = motion()
    up = torch.zeros_like(jumping.translation)
    up[:, 1] = torch.linspace(0, 1, len(up))
    lifted = Motion(jumping.rotations, jumping.translation + up, jumping.fps)
    stage.show([clip_of(name, each, body()) for name, each in (("a", jumping), ("b", lifted))])
    for seconds in (0.0, 1.0):
        stage._time.value = seconds
        stage.tick(0.0)
        for clip, name in zip(stage._clips, stage._names, strict=True):
            top = clip.vertices[clip.frame_at(seconds), :, 1].max()
            assert name.position[1] - top == pytest.approx(0.06, abs=1e-5)


def test_a_live_page_tells_where_the_run_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "_EVERY", 0.0)
    caplog.set_level("INFO")
    told = []
    for step in live.shown_on(stage, steps_of(motion()), "a person waves", body()):
        told.append(stage._words.content)
        assert f"update {step.index + 1}, loss {step.loss.item():.4g}, at " in told[-1]
    assert told[0].startswith("**Running**, fitting") and "distilling" in told[1]
    assert stage.address in caplog.text
    assert stage._words.content == "All updates are done; the results are being written."


def test_a_live_page_tells_that_the_run_has_ended() -> None:
    with pytest.raises(ValueError, match="broken"), live.live_stage() as opened:
        raise ValueError("broken")
    assert opened._words.content == "**The run has ended.**"
    assert opened._stopped.is_set()


def test_the_page_is_for_this_machine(stage: Stage) -> None:
    assert stage.address.startswith("http://127.0.0.1:")
    assert stage._server.get_host() == "127.0.0.1"


@pytest.mark.slow
def test_what_is_seen_changes_with_the_timeline(stage: Stage, clips: list[Clip]) -> None:
    stage._play.value = False
    stage.show(clips)
    with opened_page() as (page, watch):
        page.goto(stage.address)
        page.get_by_text("spacing").wait_for(timeout=60_000)
        page.wait_for_timeout(3000)  # bodies fade in
        scene = page.locator("canvas").first
        before, again = scene.screenshot(), scene.screenshot()
        stage._time.value = 1.0
        stage.tick(0.0)
        page.wait_for_timeout(1000)
        after = scene.screenshot()
        assert before == again != after
        assert page.get_by_text("Space plays and pauses").is_visible()
        page.mouse.move(400, 400)
        for deed, done in (
            (lambda: page.keyboard.press("Space"), lambda: stage._play.value),
            (
                lambda: page.keyboard.press("ArrowRight"),
                lambda: not stage._play.value and stage._seen > 1.02,
            ),
            (page.get_by_text("previous frame").click, lambda: stage._seen < 1.02),
        ):
            deed()
            for _ in range(100):
                if done():
                    break
                page.wait_for_timeout(50)
            else:
                raise TimeoutError(stage._seen)
        assert watch.errors == []
        assert all(asked.startswith(stage.address) for asked in watch.requests)


@pytest.mark.slow
def test_a_run_is_shown_while_it_evolves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_EVERY", 0.0)
    pages, shown = list[Stage](), list[Clip]()

    class Watched(Stage):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(port=PORT)
            pages.append(self)

        def show(self, clips: list[Clip]) -> None:  # type: ignore[override]
            assert urllib.request.urlopen(self.address).status == 200
            shown.extend(clips)
            super().show(clips)

    monkeypatch.setattr(live, "Stage", Watched)
    given = ["prior.model=gaussian", "camera.size=[16,16]", "run.frames=5", "score.views=1"]
    given += ["init.num_steps=0", "score.num_steps=3", "run.threads=1"]
    for name, more in (("live", ["run.live=true"]), ("plain", [])):
        out = str(tmp_path / name)
        assert main(["optimize", "a person bows", "--out", out, *given, *more]) == 0
    assert [clip.name for clip in shown] == ["a person bows"] * 3
    last = body()(load_motion(tmp_path / "live" / "motion.npz").motion)
    assert abs(shown[-1].vertices[-1] - last.vertices[-1].numpy()).max() < 1e-3
    assert len(pages) == 1
    with pytest.raises(OSError):
        urllib.request.urlopen(pages[0].address, timeout=2)
    alone, beside = (tmp_path / name / "motion.npz" for name in ("plain", "live"))
    assert alone.read_bytes() == beside.read_bytes(), "who watches changes nothing"


def test_what_cannot_be_viewed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path / "nothing.npz")]) == 2
    assert "`FILE` must be a motion file or a run's folder" in capsys.readouterr().err
    assert main(["view", "--port", "9", "more.npz"]) == 2
    assert "more.npz" in capsys.readouterr().err, "behind an option it is a file, too"
    assert main(["view", "a.npz", "--port", "99999"]) == 2
    assert "`--port` must be between 1 and 65535, got 99999" in capsys.readouterr().err
    assert main(["view", "a.npz", "score.views=3"]) == 2
    assert "`view` has no settings, got score.views=3" in capsys.readouterr().err
