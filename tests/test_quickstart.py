"""The first example that a user runs, with a tiny prior and a few steps."""

import math
import runpy
from pathlib import Path

import pytest
import torch
from tiny_ltx import NATIVE, save_tiny

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import objects
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.starts import FitSettings
from motiondistill.motion.motion_file import load_motion
from motiondistill.schema import jobs

ROOT = Path(__file__).parent.parent
SCRIPT, README = ROOT / "experiments" / "quickstart.py", ROOT / "README.md"


@pytest.mark.slow
def test_the_quickstart_writes_a_motion(
    tmp_path: Path,
    low_body: SkinnedBody,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # The script runs as it stands: only the defaults that it takes are made smaller.
    small = jobs.OptimizeConfig(
        prior=jobs.PriorConfig(model=str(save_tiny(tmp_path / "prior"))),
        init=FitSettings(num_samples=2, sampling_steps=2, num_steps=2),
        score=DistillSettings(num_steps=3, views=2),
    )
    assert objects.OptimizeConfig is jobs.OptimizeConfig  # imported before the name is replaced
    monkeypatch.setattr(jobs, "OptimizeConfig", lambda: small)
    runpy.run_path(str(SCRIPT), run_name="__main__")

    stages = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert stages == [["0", "fit"], ["1", "fit"], *[[str(k), "distill"] for k in (2, 3, 4)]]
    saved = load_motion(tmp_path / "walk.npz")
    assert saved.prompt == "a person is walking" and saved.motion.fps == NATIVE.fps
    assert saved.motion.num_frames == NATIVE.frames
    assert torch.allclose(low_body(saved.motion).joints, saved.joints, atol=1e-5)  # float32 metres
    still = float((saved.motion.rotations - saved.motion.rotations[:1]).abs().max())
    assert 0 < still and math.isfinite(still)  # five updates have moved it


def test_the_quickstart_is_short_and_stands_in_the_readme() -> None:
    _, code = SCRIPT.read_text().split("\n\n", 1)
    assert sum(1 for line in code.splitlines() if line) <= 12
    assert code.strip() in README.read_text(encoding="utf-8")
