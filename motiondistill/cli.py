"""The command line: arguments in, one line for every mistake out. Alone in writing to the terminal.

Whatever takes time to import is imported by the command that needs it: help answers at once.
"""

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from motiondistill.commands.outcomes import INTERRUPTED, USAGE_ERROR, USER_ERRORS
from motiondistill.commands.parsers import add_commands

_MODULES: Final = {"config": "show_config"}
"""Where a command's name would hide another module of the package."""
_WITHOUT_SETTINGS: Final = ("evaluate", "report", "view", "convert", "doctor")
_OVERRIDE: Final = re.compile(r"\w+\.\w+=")
# And what was meant to be one: no prompt begins so.
_ASSIGNED: Final = re.compile(r"[\w.]*=")


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
    add_commands(commands)
    _check_command(arguments, list(commands.choices))
    # argparse takes the overrides behind the first option for unknown words.
    options, others = parser.parse_known_args(arguments)
    unknown = [word for word in others if word.startswith("-")]
    if unknown:
        own = re.findall(r"--[\w-]+", commands.choices[options.command].format_help())
        near = difflib.get_close_matches(unknown[0], own, n=1)
        parser.error(f"unknown option {unknown[0]}" + (f", near {near[0]}" if near else ""))
    options.overrides = [*options.overrides, *others]
    _settle(options, commands.choices[options.command])
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


def _settle(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Gives words that argparse cannot tell apart to the arguments that they are for."""
    match options.command:
        case "optimize":
            _settle_prompt(options, parser)
        case "latents":
            _settle_several(options, parser)
        case "diagnose":
            _settle_set(options, parser)
        case "export" | "evaluate" | "view":
            _settle_files(options, parser)
        case _:
            pass
    if options.command in _WITHOUT_SETTINGS and options.overrides:
        parser.error(
            f"`{options.command}` has no settings, got {options.overrides[0]}; leave it out"
        )


def _settle_prompt(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Either one prompt or a file of them; with a file, the first word is an override, too."""
    if options.prompts is None:
        if options.prompt is None:
            parser.error("one of the arguments PROMPT and --prompts FILE is required")
    elif options.prompt is not None:
        if "=" not in options.prompt:
            parser.error("argument PROMPT: not allowed with argument --prompts")
        options.overrides.insert(0, options.prompt)


def _settle_several(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """argparse takes overrides behind the prompts for prompts, and prompts behind an option too."""
    words = [*options.prompts, *options.overrides]
    options.overrides = [word for word in words if _ASSIGNED.match(word)]
    options.prompts = [word for word in words if not _ASSIGNED.match(word)]
    if not options.prompts:
        parser.error("the following arguments are required: PROMPT")


def _settle_set(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Either some prompts or a set of them; words and overrides as in `_settle_several`."""
    words = [*options.words, *options.overrides]
    options.overrides = [word for word in words if _ASSIGNED.match(word)]
    options.words = [word for word in words if not _ASSIGNED.match(word)]
    named = options.prompts is not None or options.set is not None
    if not options.words and not named:
        parser.error("one of the arguments PROMPT, --prompts FILE and --set is required")
    if options.words and named:
        parser.error("argument PROMPT: not allowed with argument --prompts or --set")


def _settle_files(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """argparse takes overrides behind the files for files, and files behind an option for more."""
    words = [*options.files, *options.overrides]
    settings = [word for word in words if _OVERRIDE.match(word)]
    options.files = [Path(word).expanduser() for word in words if word not in settings]
    options.overrides = settings
    if not options.files:
        parser.error("the following arguments are required: RUN|FILE")


def _run(options: argparse.Namespace) -> int:
    name = _MODULES.get(options.command, options.command)
    done: int = importlib.import_module(f"motiondistill.commands.{name}").run(options)
    return done
