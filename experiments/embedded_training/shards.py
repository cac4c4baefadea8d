"""Pieces of a long computation as files: made once, and again only where they are damaged."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from motiondistill.checkpoints import Tree, load_checkpoint, save_checkpoint

_log = logging.getLogger(__name__)


def stored(path: Path, origin: Mapping[str, Any], make: Callable[[], Tree]) -> Tree:
    """What the file holds; it is made and written first where it is missing or damaged.

    Tensors are read from the disk when they are used, so that many files may be open at once.
    `origin` is all that the content depends on. Raises ValueError for a file of another origin.
    """
    if path.is_file():
        try:
            content = load_checkpoint(path)
        except ValueError as error:
            _log.warning("%s It is made again.", error)
        else:
            _check_origin(path, content["origin"], origin)
            return content["value"]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, {"origin": dict(origin), "value": make()})
    return load_checkpoint(path)["value"]


def _check_origin(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            raise ValueError(
                f"`{path}` must have been made with {name}={now.get(name)!r}, got "
                f"{before.get(name)!r}; give that again, or name another --out."
            )
