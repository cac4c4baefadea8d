"""Links from a page to the files beside it."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from motiondistill.report.documents import size_in_words, text


def downloads(folder: Path, files: Mapping[str, str]) -> str:
    """Links of a page in the folder, with what each file holds; empty if there is none of them."""
    items = "".join(
        f'<li><a href="{address(folder, folder / name)}" title="{text(words)}">{text(name)} '
        f"<small>{size_in_words((folder / name).stat().st_size)}</small></a></li>"
        for name, words in files.items()
        if (folder / name).is_file()
    )
    return f'<ul class="downloads">{items}</ul>' if items else ""


def link(folder: Path, file: Path, words: str) -> str:
    """A link of a page in the folder to a file anywhere."""
    return f'<a href="{address(folder, file)}">{text(words)}</a>'


def address(folder: Path, file: Path) -> str:
    """The file's address on a page in the folder, which holds wherever both are moved."""
    return text(quote(Path(os.path.relpath(file, folder)).as_posix()))
