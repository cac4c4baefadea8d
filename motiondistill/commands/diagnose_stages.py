"""The stages of `motiondistill diagnose`, each in a folder of its own, made once."""

import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import torch
from rich.console import Console

from motiondistill.bookkeeping import batch, store
from motiondistill.bookkeeping.interruption import Interruption
from motiondistill.bookkeeping.progress import loss_in_words, make_reporter
from motiondistill.building.diagnosis import clips_config
from motiondistill.building.probe import motion_source
from motiondistill.checkpoints import CHECKPOINTS, save_step
from motiondistill.commands import latents, one_latents, optimize_batch
from motiondistill.commands.one_run import answer_known
from motiondistill.commands.outcomes import RUN_ERRORS
from motiondistill.engine.fitting import fit, fit_state
from motiondistill.engine.stages import Settings, State
from motiondistill.engine.starts import Problem, clip_of, sample_targets, start_azimuths
from motiondistill.metrics.recogniser import load_recogniser
from motiondistill.probing.clips import Source, clips_of
from motiondistill.probing.study import Clip
from motiondistill.report.diagnosis import STAGES, Case, Stage
from motiondistill.report.fitted_clips import Seen, write_fits, write_nothing
from motiondistill.schema.jobs import DiagnoseConfig, OptimizeConfig, distilling
from motiondistill.structures import Motion

_log = logging.getLogger(__name__)


@final
@dataclass
class Work:
    """What is to be done, and what came of it beside what lies in the folders."""

    config: DiagnoseConfig
    prompts: Sequence[str]
    folder: Path
    motions: Path | None
    """True motions; None takes parametric ones."""
    failures: dict[tuple[Stage, str], str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def jobs(self) -> list[batch.Job]:
        """The runs of `optimize`."""
        return batch.plan(self.prompts, (self.config.run.seed,), self.folder / "distillation")

    @property
    def clip_jobs(self) -> list[one_latents.Job]:
        """The clips of `latents`; none where they are left out."""
        told = clips_config(self.config)
        place = self.folder / "latents"
        return [] if told is None else one_latents.plan([told], self.prompts, place)

    def folders(self, stage: Stage) -> dict[str, Path]:
        """Where a stage keeps what it finds of each prompt."""
        if stage == "latents":
            return {job.prompt: job.folder for job in self.clip_jobs}
        return {job.prompt: self.folder / stage / job.folder.name for job in self.jobs}

    def todo(self, stage: Stage) -> dict[str, Path]:
        """The same of prompts that are not finished."""
        every = self.folders(stage)
        return {prompt: place for prompt, place in every.items() if not _is_finished(place)}

    def cases(self) -> list[Case]:
        """What the record is made from."""
        places, told = {stage: self.folders(stage) for stage in STAGES}, self.failures.items()
        without: dict[Stage, str] = {}
        if not places["latents"]:
            without["latents"] = "diagnose.latent_steps=0 leaves them out"
        return [
            Case(
                prompt,
                {stage: every[prompt] for stage, every in places.items() if every},
                without,
                {stage: why for (stage, whose), why in told if whose == prompt},
            )
            for prompt in self.prompts
        ]


def make_source(work: Work, problem: Problem) -> Source:
    """Where true motions come from; raises as `motion_source` does."""
    fps, joints = problem.prior.format.fps, problem.body.rest_joints
    return motion_source(work.motions, joints, fps, problem.clip_frames, work.config.run.seed)


def carry_out(
    work: Work, problem: Problem, settings: Settings, source: Source, console: Console
) -> None:
    """Every stage with a body, for every prompt; what fails leaves the others alone."""
    clips = _true_clips(work, source)
    told = store.resolved(distilling(work.config), problem, torch.get_num_threads())

    def shown(asked: Problem) -> Seen:
        return _rendered(asked, [clip for clip in clips if clip.prompt == asked.prompt])

    def sampled(asked: Problem) -> Seen:
        videos = sample_targets(asked, settings.fit)
        names = [f"sample {place + 1}" for place in range(len(videos))]
        return Seen(names, videos, [None] * len(names))

    def begin(asked: Problem, state: State, seconds: float) -> None:
        _begin_run(work, asked, told, state, seconds)

    _fits(work, "representation", problem, settings, shown, console=console)
    _fits(work, "samples", problem, settings, sampled, begin, console=console)
    if not work.interrupted:
        _distill(work, problem, told, console)


def _true_clips(work: Work, source: Source) -> list[Clip]:
    """The motions that show the prompts; why prompts have none is kept in their folders."""
    count, todo = work.config.diagnose.motions, work.todo("representation")
    clips, left_out = clips_of([*todo], source, count)
    if count == 0:
        left_out = dict.fromkeys(todo, "diagnose.motions=0 leaves them out")
    for prompt, why in left_out.items():
        write_nothing(todo[prompt], prompt, why)
    return clips


def ask_for_clips(work: Work, console: Console) -> None:
    """The clips without a body, with a prior of their own."""
    jobs = work.clip_jobs
    if not jobs or work.interrupted or not work.todo("latents"):
        return
    place = work.folder / "latents"
    place.mkdir(exist_ok=True)
    told = {**store.origin(""), "prompt": None, "prompts": [*work.prompts]}
    store.write_config(place, jobs[0].config, told)
    rows, work.interrupted = latents.carry_out(jobs, [], place, console)
    for row in rows:
        if row.status == "failed":
            work.failures["latents", row.prompt] = row.message


def _is_finished(place: Path) -> bool:
    known = store.earlier_metrics(place)
    return bool(known) and bool(known["finished"])


def _fits(
    work: Work,
    stage: Stage,
    problem: Problem,
    settings: Settings,
    make: Callable[[Problem], Seen],
    then: Callable[[Problem, State, float], None] | None = None,
    *,
    console: Console,
) -> None:
    """Fits motions to the clips of each prompt, prompt by prompt, and writes what was found.

    `then` gets the prompt's problem, the state after the fit and its seconds.
    """
    todo = work.todo(stage)
    for place, (prompt, folder) in enumerate(todo.items(), 1):
        if work.interrupted:
            return
        _log.info("%s, %d of %d: %r", stage, place, len(todo), prompt)
        asked, started = dataclasses.replace(problem, prompt=prompt), time.monotonic()
        try:
            seen = make(asked)
            state = fit_state(asked, seen.videos, settings.fit.num_stances)
            work.interrupted = not _fitted(asked, settings, state, console)
            if work.interrupted:
                return
            motion = Motion.stack([clip_of(asked, each).detach() for each in state.fields])
            seconds = time.monotonic() - started
            write_fits(folder, asked, seen, motion, seconds)
            if then is not None:
                then(asked, state, seconds)
        except KeyboardInterrupt:
            work.interrupted = True
        except RUN_ERRORS as error:
            _log.debug("the fit failed", exc_info=True)
            work.failures[stage, prompt] = " ".join(str(error).split()) or repr(error)
            _log.error("%s of %r failed: %s", stage, prompt, work.failures[stage, prompt])


def _fitted(problem: Problem, settings: Settings, state: State, console: Console) -> bool:
    """Whether the fit came to its end before a Ctrl-C."""
    total = settings.fit.num_steps
    with Interruption() as stop, make_reporter(console, total) as report:
        for step in fit(problem, settings, state):
            report(state.step, loss_in_words(step.loss, step.terms))
            if stop.requested:
                return False
    return True


@torch.no_grad()
def _rendered(problem: Problem, clips: Sequence[Clip]) -> Seen:
    motion, recogniser = Motion.stack([clip.motion for clip in clips]), load_recogniser()
    mesh = problem.body(motion)
    videos = problem.scene(mesh, problem.cameras(start_azimuths(len(clips))))
    before = [recogniser.recognise(joints, motion.fps).action for joints in mesh.joints]
    return Seen([clip.name for clip in clips], videos, before)


def _begin_run(
    work: Work, problem: Problem, config: OptimizeConfig, state: State, seconds: float
) -> None:
    """Leaves the fitted samples to the distillation that starts from them.

    It would draw and fit the same ones, to the bit.
    """
    folder = work.folders("distillation")[problem.prompt]
    if config.init.start != "sampled" or folder.exists():
        return
    known = answer_known(problem)
    told = {"prompt": problem.prompt, **known, "seed": problem.seed, "steps": state.step}
    text = json.dumps(told | {"finished": False, "seconds": seconds}, indent=2) + "\n"
    # Under another name until it is whole: what is there without settings is no run.
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    save_step(part / CHECKPOINTS, state.step, store.snapshot(state))
    (part / "metrics.json").write_text(text, encoding="utf-8")
    store.write_config(part, config, store.origin(problem.prompt) | known)
    part.rename(folder)


def _distill(work: Work, problem: Problem, config: OptimizeConfig, console: Console) -> None:
    """The runs, as `optimize --prompts` leaves them."""
    place = work.folder / "distillation"
    place.mkdir(exist_ok=True)
    prompts, seeds = [*work.prompts], [config.run.seed]
    about = {**store.origin(""), "prompt": None, "prompts": prompts, "seeds": seeds}
    store.write_config(place, config, about | answer_known(problem))
    rows, work.interrupted = optimize_batch.carry_out(work.jobs, problem, config, place, console)
    for row in rows:
        if row.status == "failed":
            work.failures["distillation", row.prompt] = row.message
    optimize_batch.write_batch_page(place, rows, problem)
