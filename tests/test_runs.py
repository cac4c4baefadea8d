"""Run folders are safe, runs resume as they were, and Ctrl-C ends them in order."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from motiondistill import config
from motiondistill.bookkeeping import resuming, store
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.progress import Reporter
from motiondistill.checkpoints import CHECKPOINTS, load_newest, save_step
from motiondistill.engine.stages import State, Step
from motiondistill.motion.pose_field import PoseField
from motiondistill.prompts import slug
from motiondistill.randomness import seeded
from motiondistill.schema.jobs import OptimizeConfig


class Silent(Reporter):
    """A reporter that counts."""

    seen = 0

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, step: int, words: str = "", *, count: int = 1) -> None:
        assert words.startswith("loss ")
        self.seen += 1


def _field(index: int) -> PoseField:
    return PoseField(generator=seeded(index))


def _state(fields: int = 2) -> State:
    modules = nn.ModuleList([_field(index) for index in range(fields)])
    return State("fit", modules, torch.rand(fields, 3, 3, 8, 8, generator=seeded(9)))


def _steps(state: State, count: int) -> Iterator[Step]:
    """Draws each field towards a pose that depends on the step."""
    while state.step < count:
        index = state.step
        target = torch.randn(4, 3, generator=seeded(0, index))
        motions = [field(4, 8.0) for field in state.fields]
        loss = torch.stack([(m.translation - target).square().sum() for m in motions]).sum()
        state.update(loss, 0.01)
        video = torch.zeros(1, 4, 3, 8, 8)
        yield Step(index, "fit", loss.detach(), {"x": loss.detach()}, motions[0].detach(), video)


def _carry_out(folder: Path, state: State, count: int) -> Step | None:
    return store.carry_out(
        _steps(state, count), state, folder=folder, checkpoint_every=2, report=Silent()
    )


@given(st.text(max_size=200))
@example("../../etc/passwd")
@example("<script>alert(1)</script>")
@example('a/b\\c:d*?"<>|\n')
@example("走路的人 🕺")
@example("x" * 10_000)
@example("..")
@example("CON")
def test_a_prompt_is_never_a_path(tmp_path_factory: pytest.TempPathFactory, prompt: str) -> None:
    name = slug(prompt)
    assert 1 <= len(name) <= 40
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    root = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        folder = store.new_folder(None, prompt).resolve()
    assert folder.parent == root / "runs"
    assert folder.is_dir()


def test_a_folder_in_use_is_refused_and_an_empty_one_taken(tmp_path: Path) -> None:
    assert store.new_folder(tmp_path / "deep" / "run", "walk").is_dir()
    assert store.new_folder(tmp_path / "deep" / "run", "walk").is_dir()
    (tmp_path / "deep" / "run" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"`--out` must be a new or empty folder, got .*run"):
        store.new_folder(tmp_path / "deep" / "run", "walk")


@pytest.mark.parametrize("path", ["/dev/null/run", "/proc/run", "file/run", "file"])
def test_an_unwritable_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(ValueError, match="`--out` must be a folder that can be written, got "):
        store.new_folder(Path(path), "walk")


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole, cut = _state(), _state()
    _carry_out(tmp_path / "whole", whole, 9)
    _carry_out(tmp_path / "cut", cut, 5)
    resumed = store.restore(load_newest(tmp_path / "cut" / CHECKPOINTS), _field)
    assert (resumed.step, resumed.stage) == (5, "fit")
    _carry_out(tmp_path / "cut", resumed, 9)
    for name, value in whole.fields.state_dict().items():
        assert torch.equal(resumed.fields.state_dict()[name], value)
    assert whole.targets is not None
    assert resumed.targets is not None
    assert torch.equal(resumed.targets, whole.targets)


def test_a_checkpoint_of_another_layout_is_told() -> None:
    saved = store.snapshot(_state())
    del saved["layout"]  # as those of the first layout
    with pytest.raises(ValueError, match="must be of layout 2, got None; resume with the release"):
        store.restore(saved, _field)


def test_checkpoints_are_written_before_between_and_after_the_steps(tmp_path: Path) -> None:
    state = _state()
    steps, folder = _steps(state, 5), tmp_path / CHECKPOINTS
    seen = []

    def watched() -> Iterator[Step]:
        for step in steps:
            seen.append(load_newest(folder)["step"])
            yield step

    store.carry_out(watched(), state, folder=tmp_path, checkpoint_every=2, report=Silent())
    assert seen == [0, 0, 2, 2, 4]
    assert load_newest(folder)["step"] == 5
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_ctrl_c_ends_after_the_step_and_saves_it(tmp_path: Path) -> None:
    state = _state()

    def interrupted() -> Iterator[Step]:
        for step in _steps(state, 9):
            if step.index == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield step

    before = signal.getsignal(signal.SIGINT)
    last = store.carry_out(
        interrupted(), state, folder=tmp_path, checkpoint_every=100, report=Silent()
    )
    assert last is not None
    assert last.index == 2
    assert load_newest(tmp_path / CHECKPOINTS)["step"] == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_aborts() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested
        os.kill(os.getpid(), signal.SIGINT)


def test_without_steps_left_nothing_is_lost(tmp_path: Path) -> None:
    state = _state()
    _carry_out(tmp_path, state, 3)
    assert _carry_out(tmp_path, state, 3) is None
    assert load_newest(tmp_path / CHECKPOINTS)["step"] == 3


def test_the_log_is_in_the_folder_while_the_run_lasts(tmp_path: Path) -> None:
    logger = logging.getLogger("motiondistill.test")
    logger.setLevel(logging.INFO)
    with store.logged(tmp_path):
        logger.info("inside")
    logger.info("outside")
    text = (tmp_path / store.LOG).read_text()
    assert "inside" in text
    assert "outside" not in text


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with a stored configuration, of a run that has begun to distill."""
    settings = config.load(OptimizeConfig, None, ["score.views=3", "run.seed=7"])
    store.write_config(tmp_path, settings, store.origin("a person walks"))
    save_step(tmp_path / CHECKPOINTS, settings.init.updates + 1, {})
    return tmp_path


def test_a_resumed_run_keeps_its_configuration(stored: Path) -> None:
    kept = resuming.stored_config(stored, "a person walks", None, ["score.views=3"])
    assert (kept.score.views, kept.run.seed) == (3, 7)
    longer = resuming.stored_config(
        stored, "a person walks", None, ["score.num_steps=9999", "run.checkpoint_every=1"]
    )
    assert (longer.score.num_steps, longer.run.checkpoint_every) == (9999, 1)


@pytest.mark.parametrize(
    ("prompt", "override", "message"),
    [
        ("a person squats", "score.views=3", "`PROMPT` must be the stored run's 'a person walks'"),
        ("a person walks", "score.views=4", r"`score\.views` must be the stored run's 3, got 4; "),
        ("a person walks", "score.num_steps=1", r"`score\.num_steps` must be .* got 1; "),
        ("a person walks", "run.seed=8", r"`run\.seed` must be the stored run's 7, got 8; "),
    ],
)
def test_contradictions_to_the_stored_run_are_refused(
    stored: Path, prompt: str, override: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        resuming.stored_config(stored, prompt, None, [override])


@pytest.mark.parametrize("fitted", [0, 1])
def test_until_it_begins_to_distill_a_run_may_do_so_in_any_way(stored: Path, fitted: int) -> None:
    for old in (stored / CHECKPOINTS).iterdir():
        old.unlink()
    if fitted:
        save_step(stored / CHECKPOINTS, OptimizeConfig().init.updates, {})
    other = ["score.objective=sds", "score.num_steps=1", "image_prior.model=gaussian"]
    changed = resuming.stored_config(stored, "a person walks", None, other)
    assert (changed.score.objective, changed.score.num_steps) == ("sds", 1)
    assert changed.image_prior.model == "gaussian"
    for override in ("init.num_samples=9", "regularize.tilt=9", "run.seed=8"):
        with pytest.raises(ValueError, match=r"must be the stored run's"):
            resuming.stored_config(stored, "a person walks", None, [override])


def test_resuming_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`--resume` needs `--out`"):
        resuming.stored_config(None, "x", None, [])
    with pytest.raises(FileNotFoundError, match=r"got .* without config\.yaml"):
        resuming.stored_config(tmp_path, "x", None, [])


def test_the_stored_configuration_starts_an_equal_run(stored: Path) -> None:
    again = config.load(OptimizeConfig, str(stored / resuming.CONFIG))
    assert again == config.load(OptimizeConfig, None, ["score.views=3", "run.seed=7"])
    about = config.read_about(stored / resuming.CONFIG)
    assert about["prompt"] == "a person walks"
    assert about["torch"] == str(torch.__version__)
