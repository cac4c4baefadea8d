"""What `motiondistill probe` refuses once it knows the prior, and how it says so."""

import pytest

from motiondistill.build_probe import make_study
from motiondistill.config import load
from motiondistill.schema import ProbeConfig

TINY = ["prior.model=gaussian", "camera.size=[16,16]", "probe.null_copies=0"]


def test_slides_that_frames_cannot_show_are_told() -> None:
    """Eight frames a second show four periods of the sway, each of 0.8 m."""
    told = (
        r"`probe\.slide_speed` must be below 3\.2 m/s for the prior's 8 frames a second, .* "
        r"got 3\.2; set it to 1\.6 or less\."
    )
    with pytest.raises(ValueError, match=told):
        make_study(load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.2"]), ["a person walks"])


def test_slides_that_frames_show_are_asked_for() -> None:
    config = load(ProbeConfig, None, [*TINY, "probe.slide_speed=3.19"])
    assert make_study(config, ["a person walks"]).settings.slide_speed == 3.19
