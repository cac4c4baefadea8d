"""Files that are either whole or absent, even when the process is killed while it writes."""

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """The file that `write` makes, under its name only once it is complete and on the disk.

    `write` gets a hidden path in the same folder and with the same suffix. When it fails, nothing
    is left behind and an older file of that name stays.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(part)
        _flush(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    # The new name is an entry of the folder, which has to reach the disk as well.
    _flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """The text as UTF-8, whole or absent; line ends are written as they are."""
    data = text.encode("utf-8")
    write_atomically(path, lambda part: part.write_bytes(data))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
