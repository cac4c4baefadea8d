"""The first example that a user runs, with a tiny prior and a few steps."""

import functools
import math
import runpy
from pathlib import Path

import pytest
import torch
from tiny_ltx import NATIVE, save_tiny

from motiondistill import optimize, priors, starts
from motiondistill.body import anny
from motiondistill.body.skinning import SkinnedBody
from motiondistill.motion.motion_file import load_motion

SCRIPT = Path(__file__).parent.parent / "experiments" / "quickstart.py"


def test_the_quickstart_writes_a_motion(
    tmp_path: Path,
    low_body: SkinnedBody,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    # The script runs as it stands: only the names that it imports are made smaller.
    monkeypatch.setattr(anny, "anny_body", lambda: low_body)
    monkeypatch.setattr(priors, "EMBEDDED_PRIOR", save_tiny(tmp_path / "prior"))
    few = {"num_samples": 2, "sampling_steps": 2, "num_steps": 2}
    monkeypatch.setattr(starts, "FitSettings", functools.partial(starts.FitSettings, **few))
    distill = functools.partial(optimize.DistillSettings, num_steps=3, views=2)
    monkeypatch.setattr(optimize, "DistillSettings", distill)
    runpy.run_path(str(SCRIPT), run_name="__main__")

    stages = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert stages == [["0", "fit"], ["1", "fit"], *[[str(k), "distill"] for k in (2, 3, 4)]]
    saved = load_motion(tmp_path / "walk.npz")
    assert saved.prompt == "a person is walking" and saved.body == low_body.name
    assert saved.motion.num_frames == 17 and saved.motion.fps == NATIVE.fps
    assert torch.allclose(low_body(saved.motion).joints, saved.joints, atol=1e-5)  # float32 metres
    still = float((saved.motion.rotations - saved.motion.rotations[:1]).abs().max())
    assert 0 < still < math.inf  # the updates have moved it
