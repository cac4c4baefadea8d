"""What reports are made of: pages without loose ends, plots, and figures beside real ones."""

import html
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from report_run import FPS, STEPS, leave
from walk_file import walk

from motiondistill.metrics.catalogue import CATALOGUE, Direction, Metric
from motiondistill.report.curves import Curve, plot, read_curves
from motiondistill.report.documents import data_element, fill, size_in_words, text
from motiondistill.report.figure_table import figure_table, in_words
from motiondistill.report.figures import (
    QUANTILES,
    Figure,
    Light,
    figures,
    real_motion,
    reference_table,
)
from motiondistill.structures import Motion


@given(st.text())
def test_words_come_back_from_html_and_from_script_data(words: str) -> None:
    assert html.unescape(text(words)) == words
    assert not {*'<>"'} & {*text(words)}
    found = data_element({words: [words]})
    assert json.loads(found) == {words: [words]}
    assert not {*"<>&\u2028\u2029"} & {*found}


def test_what_is_filled_in_is_not_filled_again() -> None:
    assert fill("{{a}} {{b}} {{a}}", {"a": "{{b}}", "b": "{{a}}"}) == "{{b}} {{a}} {{b}}"
    with pytest.raises(KeyError):
        fill("{{a}}", {})


def test_sizes_are_told_for_people() -> None:
    assert [size_in_words(count) for count in (12, 2_400, 5_600_000)] == [
        "12 bytes",
        "2 kB",
        "5.6 MB",
    ]


def test_curves_are_what_was_recorded(low_body: Any, tmp_path: Path) -> None:
    assert read_curves(tmp_path) == []
    found = {curve.name: curve for curve in read_curves(leave(tmp_path / "run", low_body))}
    assert set(found) == {"loss", "gradients/pose", "terms/score"}
    assert found["loss"].steps == tuple(range(1, STEPS + 1))
    assert found["terms/score"].steps == tuple(range(101, STEPS + 1))
    # TensorBoard keeps float32.
    torch.testing.assert_close(
        torch.tensor(found["loss"].values), 1 / torch.arange(1, STEPS + 1), rtol=1e-6, atol=0
    )


def corners(drawn: str, shape: str) -> list[tuple[float, float]]:
    points = re.search(rf'<{shape} points="([^"]*)"', drawn)
    assert points is not None
    return [tuple(map(float, pair.split(","))) for pair in points[1].split()]  # type: ignore[misc]


def test_a_plot_spans_its_values_and_the_runs_steps() -> None:
    line = corners(plot(Curve("terms/a", (10, 15, 20), (1.0, 3.0, 2.0)), 0, 20), "polyline")
    assert line == [(120.0, 76.0), (180.0, 4.0), (240.0, 40.0)]
    # Beyond a factor of 30 by the logarithm: 1, 10 and 100 are evenly spaced.
    wide = plot(Curve("b", (0, 1, 2), (1.0, 10.0, 100.0)), 0, 2)
    assert corners(wide, "polyline") == [(0.0, 76.0), (120.0, 40.0), (240.0, 4.0)]
    assert "log" in wide
    assert ">a<" in plot(Curve("terms/a", (1,), (2.0,)), 1, 1)


def test_a_plot_of_many_points_shows_their_means_and_extremes() -> None:
    values = tuple(float((-1) ** step) for step in range(1000))
    drawn = plot(Curve("a", tuple(range(1000)), values), 0, 999)
    line, band = corners(drawn, "polyline"), corners(drawn, "polygon")
    assert len(line) == 200 and len(band) == 400
    assert {y for _, y in band} == {4.0, 76.0}
    assert all(30 < y < 50 for _, y in line)


def test_a_plot_leaves_out_what_is_not_finite() -> None:
    drawn = plot(Curve("a", (1, 2, 3), (1.0, math.nan, math.inf)), 1, 3)
    assert "nan" not in drawn and "inf" not in drawn
    assert "never finite" in plot(Curve("a", (1,), (math.nan,)), 1, 1)


def test_angles_have_their_unit_and_updates_one_word() -> None:
    drawn = plot(Curve("score/azimuth_2", (1, 2), (0.5, 1.5)), 1, 2)
    assert ">azimuth 2, rad</b>" in drawn
    assert "updates 1 to 2" in drawn and "step" not in drawn
    assert ">log snr</b>" in plot(Curve("score/log_snr", (1,), (0.5,)), 1, 1)


def test_a_row_tells_what_it_lacks() -> None:
    metric = Metric("a", "a", "m/s^3", "lower", "physical", "")
    table = figure_table([Figure(metric, 1.0, None)], FPS)
    assert '<td class="number median"' not in table and "1.00 m/s³" in table
    assert "not compared" in table
    unknown = figure_table([Figure(metric, None, (1.0,) * 7)], FPS)
    assert '<td class="number median">1.00 m/s³</td>' in unknown
    assert ">no foot touches the floor</span>" in unknown and "not compared" not in unknown


@pytest.mark.parametrize(
    ("direction", "lights"),
    [
        ("lower", ["green", "green", "green", "green", "green", "amber", "red"]),
        ("higher", ["red", "amber", "green", "green", "green", "green", "green"]),
        ("like real", ["red", "amber", "green", "green", "green", "amber", "red"]),
    ],
)
def test_lights_follow_the_quantiles(direction: Direction, lights: list[Light]) -> None:
    metric = Metric("a", "a", "m", direction, "physical", "")
    reference = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    values = (0.5, 1.5, 2.0, 4.0, 6.0, 6.5, 7.5)
    assert [Figure(metric, value, reference).light for value in values] == lights
    assert Figure(metric, None, reference).light == "none"
    assert Figure(metric, 1.0, None).light == "none"


def test_the_stored_figures_are_whole_and_tell_their_source() -> None:
    stored = real_motion()
    assert tuple(stored["quantiles"]) == QUANTILES
    assert "mocap.cs.cmu.edu" in stored["about"]["data"]
    assert stored["about"]["windows"] > 100
    physical = {name for name, metric in CATALOGUE.items() if metric.kind == "physical"}
    for table in stored["rates"].values():
        assert set(table) == physical - {"sliding_distance"}, "which grows with the clip"
        for quantiles in table.values():
            assert quantiles == sorted(quantiles) and len(quantiles) == len(QUANTILES)


def test_a_motion_is_compared_at_its_frame_rate_or_not_at_all() -> None:
    rates = real_motion()["rates"]
    assert reference_table(8.0)["jerk"] == tuple(rates["8"]["jerk"])
    assert reference_table(25.0)["jerk"] == tuple(rates["24"]["jerk"])
    assert reference_table(1.0) == {} and reference_table(120.0) == {}


def still(frames: int) -> Motion:
    return Motion(torch.eye(3).expand(frames, 22, 3, 3), torch.zeros(frames, 3), FPS)


def test_a_statue_moves_unlike_people_and_a_lifted_walk_floats(low_body: Any) -> None:
    statue = {figure.metric.id: figure for figure in figures(still(8), low_body)}
    assert statue["dynamic_degree"].value == 0 and statue["dynamic_degree"].light == "red"
    assert statue["sliding_speed"].light == "green"
    motion = walk(low_body)
    lifted = Motion(motion.rotations, motion.translation + torch.tensor([0.0, 2.0, 0.0]), FPS)
    found = {figure.metric.id: figure for figure in figures(lifted, low_body)}
    assert found["floating"].value == pytest.approx(2, abs=0.1)
    assert found["floating"].light == "red"
    assert found["sliding_speed"].value is None and found["sliding_speed"].light == "none"
    assert "nan" not in figure_table(list(found.values()), FPS)
    assert figures(still(3), low_body) == []
    assert "too short" in figure_table([], FPS)


def test_values_have_three_digits_and_no_powers() -> None:
    values = (None, 0.0, 1e-6, 0.0123456, 1.5, 20.46, 1234.5)
    assert [in_words(value) for value in values] == [
        "-",
        "0",
        "< 0.0001",
        "0.0123",
        "1.50",
        "20.5",
        "1234",
    ]
