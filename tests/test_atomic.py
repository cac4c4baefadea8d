"""A file is whole or absent."""

from pathlib import Path

import pytest

from motiondistill.atomic import write_atomically, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_replaces_the_old_one_and_keeps_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("old")
    suffixes = []

    def write(part: Path) -> None:
        suffixes.append(part.suffix)
        part.write_text("new")

    write_atomically(path, write)
    assert path.read_text() == "new"
    assert suffixes == [".mp4"]
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_to_the_letter_in_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    write_text(path, "ä,b\r\nc\n")
    assert path.read_bytes() == "ä,b\r\nc\n".encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert list(tmp_path.iterdir()) == [path] and path.stat().st_size == 8
