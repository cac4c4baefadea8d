"""Colours of a probe's maps tell how far a figure is from no knowledge; the figure stays itself."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from motiondistill.report.heat_map import Cell, HeatMap, as_html, write_png
from motiondistill.report.probe_comparison import write_comparison
from motiondistill.report.probe_maps import gradient_maps, level_words, pair_maps

TEAL, RED = "47,111,115", "179,56,44"
STRONGEST = 0.85


def colours(html: str) -> list[tuple[str, float, str]]:
    """Hue, share of it, and number of each cell."""
    found = re.findall(r"rgba\((\d+,\d+,\d+),([\d.]+)\)\">([^<]+)<", html)
    return [(hue, float(share), number) for hue, share, number in found]


def figures(auc: float, null: float | None, verdict: str | None) -> dict[str, Any]:
    def estimate(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    both: dict[str, Any] = {"auc": estimate(auc), "null": None, "above_null": None}
    if null is not None:
        both |= {"null": estimate(null), "above_null": estimate(auc - null)}
    return both | {"verdict": verdict}


def summary(*by_level: dict[str, Any]) -> dict[str, Any]:
    """Of one kind of pairs, at noise levels 0.1, 0.2, ..."""
    levels = [{"level": place / 10} | each for place, each in enumerate(by_level, 1)]
    names = ("draws", "motions", "views", "levels")
    return {
        "prior": {"model": "x", "weights": "given"},
        "pairs": {
            "kinds": {"reversed": {"by_level": levels, "by_view": [], "all": by_level[0]}},
        },
        "gradients": None,
        "clips": [],
        "config": {"probe": dict.fromkeys(names), "run": {"seed": 0}},
    }


def test_with_copies_the_colour_tells_the_distance_from_them() -> None:
    found = summary(
        figures(0.6, 0.7, "below"), figures(0.6, 0.4, "above"), figures(0.3, 0.3, "holds")
    )
    below, above, none = colours(as_html(pair_maps(found)[0]))
    assert below == (RED, pytest.approx(STRONGEST * 0.1 / 0.5, abs=0.005), "0.60")
    assert above == (TEAL, pytest.approx(STRONGEST * 0.2 / 0.5, abs=0.005), "0.60")
    assert none[1:] == (0.0, "(0.30)")


def test_without_copies_it_tells_the_distance_from_chance() -> None:
    found = summary(figures(0.6, None, None), figures(0.5, None, None))
    (shown,) = [each for each in pair_maps(found) if each.columns]
    assert shown.columns == [level_words(0.1), level_words(0.2)]
    above, none = colours(as_html(shown))
    assert above == (TEAL, pytest.approx(STRONGEST * 0.1 / 0.5, abs=0.005), "0.60")
    assert none[1:] == (0.0, "(0.50)")


def test_probes_side_by_side_are_each_held_against_their_own_copies(tmp_path: Path) -> None:
    probes = {
        "a": summary(figures(0.6, 0.7, "below")),
        "b": summary(figures(0.6, 0.4, "above")),
        "c": summary(figures(0.6, None, None)),
    }
    page = write_comparison(tmp_path, probes).read_text(encoding="utf-8")
    preferred, above = page.split("Above random weights</h3>")
    assert [(hue, number) for hue, _, number in colours(preferred)] == [
        (RED, "0.60"),
        (TEAL, "0.60"),
        (TEAL, "0.60"),
    ]
    assert [(hue, number) for hue, _, number in colours(above)] == [(RED, "-0.10"), (TEAL, "0.20")]


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
        return {**summary(figures(0.6, 0.4, "above")), "config": config}

    alike = write_comparison(tmp_path, {"a": asked("x"), "b": asked("y", threads=2, copies=0)})
    assert "Not asked alike" not in alike.read_text(encoding="utf-8")
    other = write_comparison(tmp_path, {"a": asked("x"), "b": asked("y", slide=0.8)})
    assert "Not asked alike: probe.slide_speed differ" in other.read_text(encoding="utf-8")


def test_a_cosine_has_no_colour_at_zero() -> None:
    estimates = [{"value": value, "low": value, "high": value} for value in (-0.2, 0.0, 0.2)]
    rows = [
        {"guidance": 1.0, "level": level, "cosine": each, "signal_to_noise": each}
        for level, each in zip((0.1, 0.2, 0.3), estimates, strict=True)
    ]
    found = {"gradients": {"by_level": rows, "by_level_and_view": []}}
    below, none, above = colours(as_html(gradient_maps(found)[0]))
    assert below == (RED, STRONGEST, "-0.20") and above == (TEAL, STRONGEST, "0.20")
    assert none[1] == 0


def test_the_image_has_the_colours_of_the_page(tmp_path: Path) -> None:
    """A cell at its own middle is as white as the paper, beside one that is not."""
    cells = [[Cell(0.9, middle=0.9), Cell(0.9, middle=0.4)]]
    write_png(tmp_path / "map.png", [HeatMap("", "", [""], ["", ""], cells)])
    with Image.open(tmp_path / "map.png") as image:
        counts = {colour: count for count, colour in image.convert("RGB").getcolors(10**6) or []}
    full = tuple(
        round(STRONGEST * own + (1 - STRONGEST) * 255) for own in map(int, TEAL.split(","))
    )
    assert counts[full] > 1000
    assert sum(count for (red, _, blue), count in counts.items() if blue < red) == 0
