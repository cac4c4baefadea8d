"""What a run records can be read back by TensorBoard, and recording changes no bit of the run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3
import pytest
import torch
from rich.console import Console
from small_problem import small_problem
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from motiondistill import config
from motiondistill.bookkeeping import store
from motiondistill.bookkeeping.progress import LineReporter
from motiondistill.building.objects import make_settings
from motiondistill.checkpoints import CHECKPOINTS, load_newest
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.stages import Settings, State, Step
from motiondistill.engine.starts import Problem, new_field
from motiondistill.priors.gaussian_videos import gaussian_videos
from motiondistill.randomness import seeded
from motiondistill.report.events import Looks, _add_video
from motiondistill.report.media import to_bytes
from motiondistill.schema.jobs import OptimizeConfig

FRAMES, PIXELS, VIEWS = 4, 16, 2
FIT, DISTILL, EVERY = 2, 4, 3
STEPS = FIT + DISTILL


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return small_problem(gaussian_videos(), pixels=PIXELS, frames=FRAMES)


@pytest.fixture(scope="module")
def settings() -> Settings:
    short = {"init.num_samples": 1, "init.sampling_steps": 1, "init.num_steps": FIT}
    short |= {"score.num_steps": DISTILL, "score.views": VIEWS}
    given = [f"{key}={value}" for key, value in short.items()]
    return make_settings(config.load(OptimizeConfig, None, given))


def carry_out(
    problem: Problem, settings: Settings, state: State, folder: Path, every: int, stop: int = STEPS
) -> list[Step]:
    taken = []

    def steps() -> Iterator[Step]:
        for step in optimize(problem, settings, state):
            taken.append(step)
            yield step
            if state.step == stop:
                return

    store.carry_out(
        steps(),
        state,
        folder=folder,
        checkpoint_every=2,
        report=LineReporter(Console(quiet=True), STEPS),
        looks=Looks(problem, state, every),
    )
    return taken


def read(folder: Path) -> Any:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0})
    return events.Reload()


def test_events_tell_every_update_and_change_none(
    problem: Problem, settings: Settings, tmp_path: Path
) -> None:
    silent, seen = initial_state(problem, settings), initial_state(problem, settings)
    carry_out(problem, settings, silent, tmp_path / "silent", 0)
    steps = carry_out(problem, settings, seen, tmp_path / "seen", EVERY)
    pairs = zip(silent.fields.parameters(), seen.fields.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)

    events = read(tmp_path / "seen")
    tags = events.Tags()
    distilled = range(FIT + 1, STEPS + 1)
    for tag, expected in (
        ("loss", range(1, STEPS + 1)),
        ("gradients/vertices", range(1, STEPS + 1)),
        ("gradients/pose", range(1, STEPS + 1)),
        ("gradients/pixels", range(1, STEPS + 1)),
        ("gradients/latents", distilled),
        ("score/log_snr", distilled),
        ("score/azimuth_0", distilled),
        ("score/azimuth_1", distilled),
        ("terms/score", distilled),
    ):
        assert [event.step for event in events.Scalars(tag)] == list(expected), tag
    # The score's gradient at a latent is divided by the number of latents.
    latents = VIEWS * 3 * FRAMES * PIXELS**2
    sizes, wanted = events.Scalars("gradients/latents"), events.Scalars("score/score_gradient")
    for size, want in zip(sizes, wanted, strict=True):
        assert size.value == pytest.approx(want.value / latents, rel=1e-4)
    for event, step in zip(events.Scalars("gradients/pose"), steps, strict=True):
        assert event.value == float(step.gradients["pose"]) > 0

    assert set(tags["images"]) == {"video/rendered", "video/denoised", "video/skeleton"}
    assert [event.step for event in events.Images("video/rendered")] == [EVERY, 2 * EVERY]
    picture = events.Images("video/denoised")[0]
    assert imageio.v3.imread(picture.encoded_image_string, extension=".gif").shape[1:] == (
        PIXELS,
        VIEWS * PIXELS,
        3,
    )
    names = [name for name, _ in seen.fields.named_parameters()]
    assert set(tags["histograms"]) == {
        f"{k}/{n}" for k in ("parameters", "gradients") for n in names
    }
    for name, parameter in seen.fields.named_parameters():
        last = events.Histograms(f"parameters/{name}")[-1]
        assert (last.step, last.histogram_value.num) == (2 * EVERY, parameter.numel())
        assert last.histogram_value.sum == pytest.approx(float(parameter.detach().sum()), abs=1e-3)
    assert not read(tmp_path / "silent").Tags()["images"]


def test_after_a_resume_every_step_stands_once(
    problem: Problem, settings: Settings, tmp_path: Path
) -> None:
    state = initial_state(problem, settings)
    carry_out(problem, settings, state, tmp_path, 0, stop=3)
    # The last checkpoint is lost, so that a step is taken again.
    (tmp_path / CHECKPOINTS / "step_00000003.safetensors").unlink()
    saved = load_newest(tmp_path / CHECKPOINTS)
    assert saved["step"] == 2
    resumed = store.restore(saved, lambda index: new_field(problem, index))
    carry_out(problem, settings, resumed, tmp_path, 0)
    steps = [event.step for event in read(tmp_path).Scalars("loss")]
    assert steps == list(range(1, STEPS + 1))


def test_a_video_comes_back_frame_by_frame(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    # Flat colours, few enough for a GIF's palette.
    video = torch.rand(5, 3, 1, 1, generator=seeded(0)).expand(5, 3, 8, 12)
    writer = SummaryWriter(str(tmp_path))
    _add_video(writer, "video/x", video, 8.0, 3)
    writer.close()
    (event,) = read(tmp_path).Images("video/x")
    assert (event.step, event.width, event.height) == (3, 12, 8)
    frames = imageio.v3.imread(event.encoded_image_string, extension=".gif")
    assert (torch.from_numpy(frames).int() - to_bytes(video).int()).abs().max() <= 1
    meta = imageio.v3.immeta(event.encoded_image_string, extension=".gif", index=0)
    assert meta["duration"] == pytest.approx(125, abs=10)  # hundredths of a second in the file
