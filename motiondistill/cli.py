"""The command line: arguments in, one line for every mistake out. Alone in writing to the terminal.

Whatever takes time to import is imported by the command that needs it: help answers at once.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, get_args

from motiondistill.commands import convert
from motiondistill.commands.outcomes import INTERRUPTED, USAGE_ERROR, USER_ERRORS
from motiondistill.formats.names import ExportFormat

_OVERRIDE: Final = re.compile(r"\w+\.\w+=")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0, or 2 for a mistake in what was asked, or 130 after Ctrl-C.

    A batch of which some runs failed ends with 1.
    """
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        return _run(options)
    except USER_ERRORS as error:
        print(f"motiondistill: error: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("motiondistill: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        # Else `--seed` would be taken for `--seeds`, and begin a batch.
        super().__init__(allow_abbrev=False, **given)

    def error(self, message: str) -> NoReturn:
        """Mistakes in arguments take the way of all other mistakes."""
        raise ValueError(f"{message}; see `{self.prog} --help`.")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="motiondistill", description="Text in, human motion out.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    parsers = (_add_config(commands), _add_priors(commands), _add_dataset(commands))
    for command in (*_add_jobs(commands), *parsers):
        command.add_argument("--config", metavar="NAME|FILE", help="a shipped name or a YAML file")
        command.add_argument(
            "overrides",
            metavar="key=value",
            nargs="*",
            help="settings; `motiondistill config COMMAND` lists them",
        )
    convert.add_to(commands)
    _add_evaluate(commands)
    _add_view(commands)
    _add_doctor(commands)
    _add_report(commands)
    _check_command(arguments, list(commands.choices))
    # argparse takes the overrides behind the first option for unknown words.
    options, others = parser.parse_known_args(arguments)
    unknown = [word for word in others if word.startswith("-")]
    if unknown:
        own = re.findall(r"--[\w-]+", commands.choices[options.command].format_help())
        near = difflib.get_close_matches(unknown[0], own, n=1)
        parser.error(f"unknown option {unknown[0]}" + (f", near {near[0]}" if near else ""))
    options.overrides = [*options.overrides, *others]
    if options.command == "optimize":
        _settle_prompt(options, parser)
    if options.command in ("export", "evaluate", "view"):
        _settle_files(options, parser)
    if options.command in ("evaluate", "report", "view", "doctor") and options.overrides:
        parser.error(
            f"`{options.command}` has no settings, got {options.overrides[0]}; leave it out"
        )
    for name, value in vars(options).items():
        if isinstance(value, Path):
            setattr(options, name, value.expanduser())
    return options


def _check_command(arguments: Sequence[str], known: Sequence[str]) -> None:
    """Raises ValueError for a first word that is no command, with the one that was meant."""
    word = next(iter(arguments), "-")
    if word[:1] != "-" and word not in known:
        near = difflib.get_close_matches(word, known, n=1)
        fix = f"did you mean {near[0]}?" if near else "see `motiondistill --help`."
        raise ValueError(f"`COMMAND` must be one of {', '.join(known)}, got {word!r}; {fix}")


def _settle_prompt(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Either one prompt or a file of them; with a file, the first word is an override, too."""
    if options.prompts is None:
        if options.prompt is None:
            parser.error("one of the arguments PROMPT and --prompts FILE is required")
    elif options.prompt is not None:
        if "=" not in options.prompt:
            parser.error("argument PROMPT: not allowed with argument --prompts")
        options.overrides.insert(0, options.prompt)


def _settle_files(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """argparse takes overrides behind the files for files, and files behind an option for more."""
    words = [*options.files, *options.overrides]
    settings = [word for word in words if _OVERRIDE.match(word)]
    options.files = [Path(word).expanduser() for word in words if word not in settings]
    options.overrides = settings
    if not options.files:
        parser.error("the following arguments are required: RUN|FILE")


def _add_jobs(commands: Any) -> list[argparse.ArgumentParser]:
    """The jobs that write motions and videos."""
    optimize = commands.add_parser("optimize", help="a motion from a prompt, by score distillation")
    optimize.add_argument(
        "prompt", metavar="PROMPT", nargs="?", help='such as "a person is walking"'
    )
    optimize.add_argument(
        "--prompts", metavar="FILE", type=Path, help="a prompt a line, in place of PROMPT"
    )
    optimize.add_argument("--seeds", metavar="0-3", help="a run for each, such as 0-3 or 0,2,5")
    optimize.add_argument("--out", metavar="DIR", type=Path, help="the run's folder (runs/...)")
    optimize.add_argument("--resume", action="store_true", help="go on with the runs in --out")

    sample = commands.add_parser("sample", help="a video from a prior")
    sample.add_argument("prompt", metavar="PROMPT", help='such as "a person is walking"')
    sample.add_argument("--out", metavar="FILE.mp4", type=Path, help="the video (runs/...)")

    render = commands.add_parser("render", help="a film of a saved motion")
    render.add_argument(
        "motion", metavar="RUN|FILE", type=Path, help="a run's folder, or a motion file"
    )
    render.add_argument("--out", metavar="FILE.mp4", type=Path, help="the video (runs/...)")

    export = commands.add_parser("export", help="saved motions as files of other programs")
    export.add_argument(
        "files", metavar="RUN|FILE", nargs="+", help="motion files, or runs' folders"
    )
    export.add_argument(
        "--to", metavar="bvh,...", required=True, help=", ".join(get_args(ExportFormat))
    )
    export.add_argument("--out", metavar="DIR", type=Path, help="a folder (that of the motion)")
    jobs = {"optimize": optimize, "sample": sample, "render": render, "export": export}
    for name, job in jobs.items():
        job.set_defaults(command=name)
    return list(jobs.values())


def _add_config(commands: Any) -> argparse.ArgumentParser:
    config: argparse.ArgumentParser = commands.add_parser(
        "config",
        help="what can be set, and its values",
        usage="%(prog)s [COMMAND] [--print | --schema] [--config NAME|FILE] [key=value ...]",
    )
    config.set_defaults(command="config")
    form = config.add_mutually_exclusive_group()
    form.add_argument("--print", action="store_true", help="the resolved values as YAML (default)")
    form.add_argument("--schema", action="store_true", help="the source of keys and defaults")
    return config


def _add_priors(commands: Any) -> argparse.ArgumentParser:
    priors: argparse.ArgumentParser = commands.add_parser(
        "priors",
        help="the priors there are, and whether one works here",
        usage="%(prog)s [check NAME|PATH [--out FILE.mp4]] [--config NAME|FILE] [key=value ...]",
    )
    priors.set_defaults(command="priors")
    priors.add_argument("--out", metavar="FILE.mp4", type=Path, help="the clip (runs/...)")
    return priors


def _add_dataset(commands: Any) -> argparse.ArgumentParser:
    dataset = commands.add_parser("dataset", help="captioned windows from a folder of motions")
    jobs = dataset.add_subparsers(title="commands", required=True, metavar="COMMAND")
    build: argparse.ArgumentParser = jobs.add_parser(
        "build", help="cuts, mirrors, splits and counts them"
    )
    build.set_defaults(command="dataset")
    build.add_argument(
        "folder", metavar="FOLDER", type=Path, help="with BVH, AMASS, ... or a manifest.csv"
    )
    build.add_argument("--out", metavar="DIR", type=Path, required=True, help="the set's folder")
    return build


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="figures of motions, beside references")
    evaluate.set_defaults(command="evaluate", overrides=[])
    evaluate.add_argument(
        "files", metavar="RUN|FILE", nargs="+", help="runs' folders or motion files"
    )
    evaluate.add_argument("--reference", metavar="DIR", type=Path, help="a folder of motion files")
    evaluate.add_argument("--json", metavar="FILE", type=Path, help="figures and definitions")
    evaluate.add_argument("--tensorboard", metavar="DIR", type=Path, help="figures as scalars")
    evaluate.add_argument("--clip", metavar="DIR", type=Path, help="CLIP's weights, for CLIP score")


def _add_report(commands: Any) -> None:
    report = commands.add_parser("report", help="a run's report.html, or a batch's index.html")
    report.add_argument("run", metavar="RUN", type=Path, help="the folder of a run or of a batch")
    report.set_defaults(command="report", overrides=[])


def _add_view(commands: Any) -> None:
    view = commands.add_parser("view", help="saved motions in the browser, side by side")
    view.add_argument("files", metavar="RUN|FILE", nargs="+", help="motion files, or runs' folders")
    view.add_argument("--host", default="127.0.0.1", help="who may see it (this machine alone)")
    view.add_argument("--port", type=int, default=8080, help="or the next free one (8080)")
    view.set_defaults(command="view", overrides=[])


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor", help="what works on this machine, and what mends the rest"
    )
    doctor.set_defaults(command="doctor", overrides=[])


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "optimize":
            from motiondistill.commands import optimize

            return optimize.run(options)
        case "sample":
            from motiondistill.commands import sample

            return sample.run(options)
        case "render":
            from motiondistill.commands import render

            return render.run(options)
        case "export":
            from motiondistill.commands import export

            return export.run(options)
        case "priors":
            from motiondistill.commands import priors

            return priors.run(options)
        case "view":
            from motiondistill.commands import view

            return view.run(options)
        case "doctor":
            from motiondistill.commands import doctor

            return doctor.run(options)
        case "convert":
            return convert.run(options)
        case "report":
            from motiondistill.commands import report

            return report.run(options)
        case "dataset":
            from motiondistill.commands import dataset

            return dataset.run(options)
        case "evaluate":
            from motiondistill.commands import evaluate

            return evaluate.run(options)
        case _:
            from motiondistill.commands import show_config

            return show_config.run(options)
