import math
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from motiondistill.prompts import VIEW_NAMES, slug, view_index, view_name, with_view
from motiondistill.schema.jobs import View

EIGHTH = 2 * math.pi / 8
# Azimuths this close to the border of two views may fall on either side when a turn is added.
ROUNDING = 1e-6


@pytest.mark.parametrize("index", range(8))
def test_every_view_is_an_eighth_of_the_circle_about_its_centre(index: int) -> None:
    centre = index * EIGHTH
    inside = [centre, centre - 0.49 * EIGHTH, centre + 0.49 * EIGHTH, centre - 2 * math.pi]
    assert {view_index(azimuth) for azimuth in inside} == {index}
    assert view_index(centre + 0.51 * EIGHTH) == (index + 1) % 8


def test_positive_azimuths_see_the_left_side() -> None:
    words = {0: "front", 45: "front left", 90: "left side", 135: "back left", 180: "back"}
    words |= {-45: "front right", 270: "right side", 225: "back right"}
    for degrees, word in words.items():
        assert view_name(math.radians(degrees)) == f"{word} view"


@given(azimuth=st.floats(-20, 20), turns=st.integers(-3, 3))
def test_views_repeat_after_a_turn_and_mirror_at_zero(azimuth: float, turns: int) -> None:
    from_border = (azimuth / EIGHTH - 0.5) % 1
    assume(ROUNDING < from_border < 1 - ROUNDING)
    name = view_name(azimuth)
    assert view_name(azimuth + turns * 2 * math.pi) == name
    mirrored = {"left": "right", "right": "left"}
    assert view_name(-azimuth) == " ".join(mirrored.get(word, word) for word in name.split())


def test_prompts_end_in_the_view() -> None:
    assert with_view("a person is walking", math.pi / 2) == "a person is walking, left side view"
    assert with_view("", math.pi / 2) == ""
    assert get_args(View) == VIEW_NAMES  # the names that the configuration takes


HOSTILE = [
    "../../etc/passwd",
    "/",
    "..",
    "",
    " \n\t",
    "a/b\\c:d",
    "x\0y",
    "-rf *",
    "~",
    "$(id)",
    "💃",
]


@example("CON")
@example("x" * 500)
@given(prompt=st.text() | st.sampled_from(HOSTILE))
def test_slugs_are_plain_file_names(prompt: str) -> None:
    name = slug(prompt)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert len(name) <= 40
    assert Path(name).name == name
    assert slug(name) == name


@pytest.mark.parametrize("prompt", HOSTILE)
@pytest.mark.parametrize("length", [6, 7, 8])
def test_slugs_of_any_length_stay_in_their_folder(prompt: str, length: int, tmp_path: Path) -> None:
    path = tmp_path / slug(prompt, length)
    assert path.parent == tmp_path and path.resolve().parent == tmp_path.resolve()
    assert len(path.name) <= length


def test_slugs_can_be_read() -> None:
    assert slug("A person waves, with the RIGHT hand!") == "a-person-waves-with-the-right-hand"
    assert slug("Él salta à la corde") == "el-salta-a-la-corde"
    assert slug("walking on", max_length=8) == "walking"  # no dangling hyphen
    assert slug("走る") == "prompt"
