"""The command line: arguments in, one line for every mistake out. Alone in writing to the terminal.

Whatever takes time to import is imported by the command that needs it: help answers at once.
"""

import argparse
import contextlib
import dataclasses
import logging
import shlex
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from motiondistill.commands import convert

if TYPE_CHECKING:
    from rich.console import Console

    from motiondistill.optimize import Settings
    from motiondistill.schema import RunConfig
    from motiondistill.starts import Problem

MAX_PROMPT: Final = 500
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130  # what shells report for a process ended by Ctrl-C

# Raised with a message that names the argument, the rule, the value and the remedy.
_USER_ERRORS = (ValueError, FileNotFoundError, FileExistsError, ImportError, FloatingPointError)

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0, or 2 for a mistake in what was asked, or 130 after Ctrl-C."""
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        code: int = options.command(options)
        return code
    except _USER_ERRORS as error:
        print(f"motiondistill: error: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("motiondistill: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Mistakes in arguments take the way of all other mistakes."""
        raise ValueError(f"{message}; see `{self.prog} --help`.")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="motiondistill", description="Text in, human motion out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    optimize = commands.add_parser("optimize", help="a motion from a prompt, by score distillation")
    optimize.set_defaults(command=_optimize)
    optimize.add_argument("prompt", metavar="PROMPT", help='such as "a person is walking"')
    optimize.add_argument("--out", metavar="DIR", type=Path, help="the run's folder (runs/...)")
    optimize.add_argument("--resume", action="store_true", help="go on with the run in --out")

    sample = commands.add_parser("sample", help="a video from a prior")
    sample.set_defaults(command=_sample)
    sample.add_argument("prompt", metavar="PROMPT", help='such as "a person is walking"')
    sample.add_argument("--out", metavar="FILE.mp4", type=Path, help="the video (runs/...)")

    config = commands.add_parser(
        "config",
        help="what can be set, and its values",
        usage="%(prog)s [COMMAND] [--print | --schema] [--config NAME|FILE] [key=value ...]",
    )
    config.set_defaults(command=_config)
    form = config.add_mutually_exclusive_group()
    form.add_argument("--print", action="store_true", help="the resolved values as YAML (default)")
    form.add_argument("--schema", action="store_true", help="the source of keys and defaults")

    priors = commands.add_parser(
        "priors",
        help="the priors there are, and whether one works here",
        usage="%(prog)s [check NAME|PATH [--out FILE.mp4]] [--config NAME|FILE] [key=value ...]",
    )
    priors.set_defaults(command=_priors)
    priors.add_argument("--out", metavar="FILE.mp4", type=Path, help="the clip (runs/check.mp4)")

    convert.add_to(commands)
    for command in (optimize, sample, config, priors):
        command.add_argument("--config", metavar="NAME|FILE", help="a shipped name or a YAML file")
        command.add_argument(
            "overrides",
            metavar="key=value",
            nargs="*",
            help="settings; `motiondistill config COMMAND` lists them",
        )
    # argparse takes the overrides behind the first option for unknown words.
    options, others = parser.parse_known_args(arguments)
    unknown = [word for word in others if word.startswith("-")]
    if unknown:
        parser.error(f"unknown option {unknown[0]}")
    options.overrides = [*options.overrides, *others]
    return options


def _optimize(options: argparse.Namespace) -> int:
    prompt, folder, saved = _checked(options.prompt), options.out, None
    from motiondistill import build, config, runs
    from motiondistill.checkpoints import load_newest
    from motiondistill.schema import OptimizeConfig

    if options.resume:
        settings = runs.stored_config(folder, prompt, options.config, options.overrides)
        # A run that ended before its first checkpoint begins again with its stored settings.
        checkpoints = folder / runs.CHECKPOINTS
        saved = load_newest(checkpoints) if checkpoints.is_dir() else None
    else:
        settings = config.load(OptimizeConfig, options.config, options.overrides)
        folder = runs.new_folder(folder, prompt)
    with _terminal() as console:
        try:
            threads = _compute_repeatably(settings.run.threads)
            settings = dataclasses.replace(settings, prior=build.pinned(settings.prior))
            problem = build.make_problem(settings, prompt)
        except _USER_ERRORS:
            if not options.resume:
                folder.rmdir()  # nothing has been written yet
            raise
        run = dataclasses.replace(settings.run, frames=problem.num_frames, threads=threads)
        runs.write_config(folder, dataclasses.replace(settings, run=run), runs.origin(prompt))
        with runs.logged(folder):
            try:
                return _run(problem, build.make_settings(settings), folder, run, saved, console)
            except _USER_ERRORS:
                # The terminal gets one line; where the error came from stays in the run's log.
                _log.debug("the run failed", exc_info=True)
                raise


def _run(
    problem: "Problem",
    settings: "Settings",
    folder: Path,
    run: "RunConfig",
    saved: Any,
    console: "Console",
) -> int:
    """Optimises, records and writes the results; `saved` is the checkpoint to go on from."""
    from motiondistill import runs
    from motiondistill.optimize import initial_state, optimize
    from motiondistill.progress import make_reporter
    from motiondistill.report.results import RESULTS, write_results

    if saved is None:
        _log.info("starting %s", folder)
        state = initial_state(problem, settings)
    else:
        state = runs.restore(saved)
        _log.info("going on with %s from step %d of %d", folder, state.step, settings.num_steps)
    started = time.monotonic()
    last = runs.carry_out(
        optimize(problem, settings, state),
        state,
        folder=folder,
        checkpoint_every=run.checkpoint_every,
        report=make_reporter(console, settings.num_steps),
    )
    finished = state.step == settings.num_steps
    earlier = runs.earlier_metrics(folder)
    metrics = {
        "prompt": problem.prompt,
        "seed": problem.seed,
        "steps": state.step,
        "finished": finished,
        "loss": last.loss.item() if last else earlier.get("loss"),
        "terms": {name: term.item() for name, term in last.terms.items()}
        if last
        else earlier.get("terms"),
        "seconds": earlier.get("seconds", 0.0) + time.monotonic() - started,
    }
    write_results(folder, problem, runs.current_motion(problem, state), metrics)
    _log.info("%s after %d steps", "finished" if finished else "stopped", state.step)
    print(f"\n{folder}")
    for name in RESULTS:
        print(f"  {folder / name}")
    if not finished:
        prompt, out = shlex.quote(problem.prompt), shlex.quote(str(folder))
        print(f"To go on: motiondistill optimize {prompt} --out {out} --resume")
    return 0 if finished else INTERRUPTED


def _sample(options: argparse.Namespace) -> int:
    prompt, path = _checked(options.prompt), options.out
    from motiondistill import build, config, priors, runs
    from motiondistill.prompts import slug, with_words
    from motiondistill.randomness import seeded
    from motiondistill.report.media import save_strip, save_video
    from motiondistill.schema import SampleConfig

    settings = config.load(SampleConfig, options.config, options.overrides)
    knobs, negative = settings.sample, settings.prior.negative_prompt
    if path is None:
        path = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(prompt)}.mp4"
    if path.suffix != ".mp4":
        raise ValueError(
            f"`--out` must end in .mp4, got {path}; name it {path.with_suffix('.mp4')}."
        )
    runs.make_parent(path)
    with _terminal():
        _compute_repeatably(settings.run.threads)
        prior = build.make_prior(settings.prior, settings.run.seed)
        height, width = knobs.size or (prior.format.height, prior.format.width)
        latents = priors.sample(
            prior,
            [prompt if knobs.view is None else with_words(prompt, knobs.view)],
            generator=seeded(settings.run.seed, 0, "sample"),
            num_steps=knobs.num_steps,
            guidance_scale=knobs.guidance_scale,
            negative_prompts=[negative if knobs.view is None else with_words(negative, knobs.view)],
            size=(settings.run.frames or prior.format.frames, height, width),
        )
        video = prior.decode(latents).detach()
    save_video(path, video[0], prior.format.fps)
    save_strip(path.with_suffix(".png"), video)
    print(path)
    print(path.with_suffix(".png"))
    return 0


def _config(options: argparse.Namespace) -> int:
    from motiondistill import config
    from motiondistill.schema import JOBS

    words = options.overrides
    job = words.pop(0) if words and words[0] in JOBS else "optimize"
    if options.schema:
        print(config.schema_source(job))
    else:
        print(config.to_yaml(config.to_dict(config.load(JOBS[job], options.config, words))), end="")
    return 0


def _priors(options: argparse.Namespace) -> int:
    from motiondistill.commands import priors

    with _terminal():
        return priors.run(options)


def _checked(prompt: str) -> str:
    """The prompt with its white space tidied."""
    tidy = " ".join(prompt.split())
    if not tidy:
        raise ValueError(
            f"`PROMPT` must not be empty, got {prompt!r}; say what a person does, "
            'such as "a person is walking".'
        )
    if len(tidy) > MAX_PROMPT:
        raise ValueError(
            f"`PROMPT` must have at most {MAX_PROMPT} characters, got {len(tidy)}; shorten it."
        )
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in tidy):
        raise ValueError(f"`PROMPT` must be text without control characters, got {tidy!r}.")
    return tidy


def _compute_repeatably(threads: int | None) -> int:
    """Fixes all that bits depend on besides the seeds; the number of threads, resolved."""
    import torch

    # Without this the backward pass of indexing adds in an order that varies between runs.
    torch.use_deterministic_algorithms(True)
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


@contextlib.contextmanager
def _terminal() -> Iterator["Console"]:
    """The terminal, with what the package logs shown on it."""
    from rich.console import Console

    console = Console(stderr=True)

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.out(self.format(record), highlight=False)

    logger, handler = logging.getLogger("motiondistill"), Handler()
    logger.setLevel(logging.DEBUG)
    handler.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield console
    finally:
        logger.removeHandler(handler)
