"""The rendering benchmark: its bodies, its truth, its arithmetic, and one run in small."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from motiondistill import rotations
from motiondistill.body.skinning import SkinnedBody
from motiondistill.randomness import seeded
from motiondistill.render.rasterizer import twins
from motiondistill.structures import NUM_JOINTS, Motion

SCRIPT = Path(__file__).parent.parent / "experiments" / "bench_render.py"

sys.path.insert(0, str(SCRIPT.parent))
from render_bench import measure, scenes  # noqa: E402 (after the path is set)
from render_bench.bodies import LOW_FACES, decimated, quartered, save_body  # noqa: E402
from render_bench.tables import exponent, match_errors  # noqa: E402

# Collapsing a quarter of the edges of a coarse mesh flattens it a little.
SHRINKS = 0.05
# Between finite differences of point samples and our own gradient, both at 64² a pixel.
TRUTH = 0.1


def posed(body: SkinnedBody) -> Tensor:
    """Vertices in some pose, float64."""
    turns = rotations.from_axis_angle(0.3 * torch.randn(1, NUM_JOINTS, 3, generator=seeded(0)))
    return body(Motion(turns, torch.zeros(1, 3), fps=1.0)).vertices[0].double()


def volume(body: SkinnedBody) -> float:
    a, b, c = posed(body)[body.faces].unbind(1)
    return float((torch.linalg.cross(a, b) * c).sum() / 6)


def test_a_decimated_body_is_closed_and_has_the_shape(low_body: SkinnedBody) -> None:
    fewer = decimated(low_body, 1800)
    assert fewer.faces.shape == (1800, 3) and len(fewer.parts) == 1800 // 2 + 2  # as a sphere
    assert bool((twins(fewer.faces) >= 0).all())
    assert fewer.faces.unique().tolist() == list(range(len(fewer.parts)))
    assert volume(fewer) == pytest.approx(volume(low_body), rel=SHRINKS)
    with pytest.raises(ValueError, match="even"):
        decimated(low_body, 1801)


def test_a_quartered_body_is_the_same_surface(low_body: SkinnedBody) -> None:
    finer = quartered(low_body)
    assert len(finer.faces) == 4 * len(low_body.faces)
    assert bool((twins(finer.faces) >= 0).all())
    assert volume(finer) == pytest.approx(volume(low_body), rel=1e-5)  # float32
    corners = posed(low_body)[low_body.faces]
    middles = posed(finer)[finer.faces[-len(low_body.faces) :]]
    assert torch.allclose(middles, (corners + corners.roll(-1, 1)) / 2, atol=1e-5)


@pytest.mark.slow
def test_the_truth_is_the_limit_of_our_gradients(low_body: SkinnedBody, tmp_path: Path) -> None:
    case = scenes.Case(LOW_FACES, 32, 1)
    save_body(low_body, scenes.body_path(tmp_path, LOW_FACES))
    effort = measure.Effort(seconds=0, factors=(1, 4), reference_pixels=2048)
    found = measure.measure_errors(case, 1, tmp_path, effort)
    coarse, fine = (row["pose"] for row in found["factors"])
    assert found["reference"]["pose"] < TRUTH
    assert fine < coarse and found["reference"]["pose"] < fine
    stored = measure.load_reference(tmp_path, case)
    assert stored.by_pose.shape == (1, scenes.NUM_PARAMETERS)


def test_exponents() -> None:
    sizes = np.array([1.0, 4.0, 16.0])
    assert exponent(zip(sizes, 3 * sizes**1.7, strict=True)) == pytest.approx(1.7)


def test_mitsuba_is_matched_by_the_fewest_samples_that_are_as_good() -> None:
    rows = [{"samples": (4 * n, n), "pose": n**-0.5, "seconds": [float(n)] * 2} for n in (1, 2, 4)]
    images = [{"samples": n, "pixels": n**-0.5, "seconds": [0.1 * n] * 2} for n in (1, 2, 4)]
    mitsuba = {"update": [0.5, 0.5], "forward": images, "backward": rows}
    match = match_errors(mitsuba, {"pose": 0.75, "pixels": 2.0}, "pose")
    assert match.samples == (1, 8, 2) and not match.extrapolated
    assert match.seconds == pytest.approx(0.5 + 0.1 + 2)
    # Twice as good as the most samples that were measured: four times as many, and as long.
    match = match_errors(mitsuba, {"pose": 0.25, "pixels": 2.0}, "pose")
    assert match.samples == (1, 64, 16) and match.extrapolated
    assert match.error == pytest.approx(0.25) and match.backward == pytest.approx(16)


@pytest.mark.slow
def test_a_quick_run_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "new" / "page.md"
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--quick", "--threads", "1", "--out", str(page)])
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    text = page.read_text(encoding="utf-8")
    assert "{" not in text and "nan" not in text
    assert "| Anny, low | 2,454 | 1,229 | 16 | cpu |" in text
    assert "Mitsuba 3 was not measured" in text
    assert sum(line.startswith(("| pose |", "| vertices |")) for line in text.splitlines()) == 4
