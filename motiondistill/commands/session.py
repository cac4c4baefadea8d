"""What commands share: the prompt, the terminal, files to be written, and repeatable computing."""

import contextlib
import logging
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import torch
from rich.console import Console

from motiondistill import config
from motiondistill.bookkeeping import store
from motiondistill.building.motion import recorded_body
from motiondistill.motion.motion_file import MotionFile
from motiondistill.prompts import slug
from motiondistill.schema.jobs import ExportConfig, FilmConfig

MAX_PROMPT: Final = 500
_WIDE: Final = 400
Schema = TypeVar("Schema", FilmConfig, ExportConfig)


def checked_prompt(prompt: str) -> str:
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


def checked_prompts(words: Sequence[str]) -> list[str]:
    """Several of them, each once."""
    prompts = [checked_prompt(prompt) for prompt in words]
    for prompt in prompts:
        if prompts.count(prompt) > 1:
            raise ValueError(f"`PROMPT` must be given once, got {prompt!r} twice; leave one out.")
    return prompts


def compute_repeatably(threads: int | None) -> int:
    """Fixes all that bits depend on besides the seeds; the number of threads, resolved."""
    # Without this the backward pass of indexing adds in an order that varies between runs.
    torch.use_deterministic_algorithms(True)
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def new_video(out: Path | None, words: str) -> Path:
    """The path of a video that can be written, `runs/<time>-<words>.mp4` by default.

    Raises ValueError now for one that the result could not be written to.
    """
    path = out or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(words)}.mp4"
    if path.suffix != ".mp4":
        raise ValueError(
            f"`--out` must end in .mp4, got {path}; name it {path.with_suffix('.mp4')}."
        )
    store.make_parent(path)
    return path


def settings_for(
    schema: type[Schema], file: MotionFile, name: str | None, overrides: list[str]
) -> Schema:
    """A job's configuration; the body is the motion file's where none is named."""
    named = "body.name" in config.given(schema, name, overrides)
    return config.load(schema, name, overrides, base=None if named else recorded_body(file))


def wide_console(*, markup: bool = True) -> Console:
    """What tables are printed on: the terminal or, so that rows stay lines, a wide pipe."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, markup=markup)


@contextlib.contextmanager
def terminal() -> Iterator[Console]:
    """The terminal, with what the package logs shown on it."""
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
