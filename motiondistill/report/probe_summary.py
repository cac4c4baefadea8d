"""All that a probe found as plain values: what `summary.json` holds, and pages are made of."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from motiondistill import config as configs
from motiondistill.bookkeeping.probe_files import Answers
from motiondistill.probing.slopes import Slopes
from motiondistill.probing.study import Clip, Study
from motiondistill.probing.summary import (
    DEFINITIONS,
    networks,
    pair_summary,
    slope_summary,
)
from motiondistill.schema.jobs import ProbeConfig
from motiondistill.score.levels import log_snr, tau_of


def summary_of(
    config: ProbeConfig,
    study: Study,
    slopes: Slopes | None,
    answers: Answers,
    clips: Sequence[Clip],
    left_out: Mapping[str, str],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The figures of all answers, with definitions and origin; `clips` are those wanted."""
    done = {row.clip: (row.prompt, row.recording) for row in answers.pairs}
    gradients = slope_summary(
        answers.slopes,
        objective=config.score.objective,
        scale_matters=slopes is not None and slopes.scale_matters,
    )
    return {
        "motiondistill": version("motiondistill"),
        "about": dict(about),
        "prior": config.prior.named,
        "finished": len(done) == len(clips),
        "clips_wanted": len(clips),
        "clips": [
            {"name": name, "prompt": prompt, "recording": recording}
            for name, (prompt, recording) in done.items()
        ],
        "left_out": dict(left_out),
        "definitions": DEFINITIONS,
        "levels": [
            {"level": float(tau_of(sigma)), "log_snr": float(log_snr(sigma))}
            for sigma in study.sigmas
        ],
        "views": [
            {"view": float(azimuth), "name": name}
            for azimuth, name in zip(study.azimuths, config.probe.views, strict=True)
        ],
        "statistic": networks(answers.pairs),
        "pairs": pair_summary(answers.pairs),
        "gradients": gradients,
        "config": configs.to_dict(config),
    }
