"""Colours of a probe's maps tell how far a figure is from no knowledge; the figure stays itself."""

import re
from pathlib import Path
from typing import Any

from probe_summaries import WALK, WAVE, figures, gradients, kind, summary

from motiondistill.report.heat_colours import DAY, css, ground
from motiondistill.report.heat_map import Blank, Cell, as_html
from motiondistill.report.probe_comparison import write_comparison
from motiondistill.report.probe_maps import gradient_maps, level_words, pair_maps, prompt_map

PALE = 0.35


def numbers(html: str) -> list[tuple[str, str]]:
    """Colour by day, and number, of each cell."""
    return re.findall(r'<td style="--day:(#\w{6});[^"]+">([^<]+)<', html)


def coloured(strength: float) -> str:
    return css(ground(DAY, strength))


def reversed_at(*by_level: dict[str, Any]) -> dict[str, Any]:
    return summary({"reversed": kind("reversed", *by_level)})


def test_with_copies_the_colour_tells_the_distance_from_them() -> None:
    found = reversed_at(
        figures(0.6, 0.7, "below"),
        figures(0.6, 0.4, "above"),
        figures(0.3, 0.3, "undecided"),
        figures(0.6, 0.4, "undecided"),
    )
    assert numbers(as_html(pair_maps(found)[0])) == [
        (coloured(-0.2), "0.60"),
        (coloured(0.4), "0.60"),
        (coloured(0.0), "0.30?"),
        (coloured(0.4 * PALE), "0.60?"),
    ]


def test_words_of_no_verdict_are_never_taken_for_knowledge() -> None:
    found = reversed_at(figures(0.6, 0.4, "holds"))
    assert numbers(as_html(pair_maps(found)[0])) == [(coloured(0.4 * PALE), "0.60?")]


def test_without_copies_it_tells_the_distance_from_chance() -> None:
    found = reversed_at(figures(0.6, None, None), figures(0.5, None, None))
    shown = pair_maps(found)[0]
    assert shown.columns == [level_words(0.1), level_words(0.2)]
    assert shown.key is not None and shown.key[1] == "chance"
    assert numbers(as_html(shown)) == [(coloured(0.2), "0.60"), (coloured(0.0), "0.50?")]


def test_brackets_are_names_of_pairs_that_are_not_equally_complex() -> None:
    some = figures(0.6, 0.4, "undecided")
    found = summary({name: kind(name, some, prompts=[WALK]) for name in ("reversed", "frozen")})
    assert [each.rows for each in pair_maps(found)] == [["reversed", "(frozen)"]] * 2
    shown = prompt_map(found)
    assert shown.columns == ["reversed", "(frozen)"]
    assert "Names in brackets: pairs that are not equally complex." in shown.caption
    assert [number for _, number in numbers(as_html(shown))] == ["0.60?"] * 2


def test_what_was_not_asked_tells_why_under_the_mouse_and_below_the_map() -> None:
    some = figures(0.6, 0.4, "above")
    asked = {"reversed": kind("reversed", some, prompts=[WALK])}
    asked["frozen"] = kind("frozen", some, prompts=[WALK, WAVE])
    shown = prompt_map(summary(asked))
    why = "reversed is not asked, as the motion looks alike backwards, or stands still"
    assert shown.cells[1][0] == Blank(why)
    assert f'<td class="none" title="{why}">-</td>' in as_html(shown)
    assert shown.caption.endswith(f" -: {why}.")


def test_probes_side_by_side_are_each_held_against_their_own_copies(tmp_path: Path) -> None:
    probes = {
        "a": reversed_at(figures(0.6, 0.7, "below")),
        "b": reversed_at(figures(0.6, 0.4, "above")),
        "c": reversed_at(figures(0.6, None, None)),
    }
    page = write_comparison(tmp_path, probes).read_text(encoding="utf-8")
    preferred, above = page.split("Above random weights</h3>")
    assert numbers(preferred) == [
        (coloured(-0.2), "0.60"),
        (coloured(0.4), "0.60"),
        (coloured(0.2), "0.60"),
    ]
    assert numbers(above) == [(coloured(-0.2), "-0.10"), (coloured(0.4), "0.20")]
    assert 'title="there are no copies with random weights">-</td>' in above


def test_probes_that_were_asked_otherwise_are_told(tmp_path: Path) -> None:
    """Whatever differs but who answers, beside how many copies, and on how many threads."""

    def asked(model: str, **given: Any) -> dict[str, Any]:
        config = {
            "prior": {"model": model},
            "run": {"seed": 0, "threads": given.get("threads", 1)},
            "probe": {
                "null_copies": given.get("copies", 5),
                "slide_speed": given.get("slide", 0.2),
            },
        }
        return {**reversed_at(figures(0.6, 0.4, "above")), "config": config}

    alike = write_comparison(tmp_path, {"a": asked("x"), "b": asked("y", threads=2, copies=0)})
    assert "Not asked alike" not in alike.read_text(encoding="utf-8")
    other = write_comparison(tmp_path, {"a": asked("x"), "b": asked("y", slide=0.8)})
    assert "Not asked alike: probe.slide_speed differ" in other.read_text(encoding="utf-8")


def test_a_cosine_has_no_colour_at_zero_and_its_map_tells_what_colours_mean() -> None:
    some = {"reversed": kind("reversed", figures(0.6, 0.4, "above"))}
    found = gradient_maps(summary(some, gradients(-0.2, 0.0, 0.2)))
    assert numbers(as_html(found[0])) == [
        (coloured(-1.0), "-0.20"),
        (coloured(0.0), "0.00?"),
        (coloured(1.0), "0.20"),
    ]
    assert found[0].key == ("-0.20: away from it", "0: anywhere", "0.20: towards it")
    for each in found:
        assert "above 0 (teal) or below (red), strongest at the largest" in each.caption
        assert each.key is not None and all(words in as_html(each) for words in each.key)


def test_a_figure_without_an_interval_says_so() -> None:
    alone = figures(0.6, 0.4, "undecided")
    alone["auc"] = {"value": 0.6, "low": None, "high": None}
    (cell,) = pair_maps(reversed_at(alone))[0].cells[0]
    assert isinstance(cell, Cell) and cell.words == "no interval"
