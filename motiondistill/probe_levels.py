"""Noise levels and guidance that a probe suggests, for `score.levels=auto`."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

from motiondistill.distill_settings import DistillSettings
from motiondistill.probe_files import read_summary
from motiondistill.schema import OptimizeConfig

_log = logging.getLogger(__name__)


def with_probed_levels(config: OptimizeConfig) -> OptimizeConfig:
    """The configuration with the levels of its probe in place of `auto`; others as they are.

    The guidance scale is the probe's, too, where the probe's objective depends on it. Raises
    ValueError and FileNotFoundError, which name the key, without a probe and for one that has no
    suggestion.
    """
    score = config.score
    if score.levels == "given":
        return config
    found = _probed(score)
    if found["prior"]["model"] != config.prior.model:
        _log.warning(
            "the noise levels were probed of %s, and the prior is %s",
            found["prior"]["model"],
            config.prior.model,
        )
    chosen = found["gradients"]["suggestion"]
    scale = chosen["guidance_scale"]
    score = dataclasses.replace(
        score,
        levels="given",
        probe=None,
        first_level=chosen["first_level"],
        last_level=chosen["last_level"],
        guidance_scale=score.guidance_scale if scale is None else scale,
    )
    _log.info(
        "the probe suggests noise levels from %.3g to %.3g, guidance %.3g",
        score.first_level,
        score.last_level,
        score.guidance_scale,
    )
    return dataclasses.replace(config, score=score)


def _probed(score: DistillSettings) -> dict[str, Any]:
    """The figures of the probe, which has a suggestion."""
    if score.probe is None:
        raise ValueError(
            "`score.probe` must name a probe's folder for score.levels=auto, got null; make one by "
            "`motiondistill probe --out FOLDER` and add score.probe=FOLDER."
        )
    if score.level_path == "timesteps":
        raise ValueError(
            "`score.level_path` must not be timesteps for score.levels=auto, whose levels are flow "
            "times, got 'timesteps'; take another, such as uniform."
        )
    found = read_summary("score.probe", Path(score.probe).expanduser())
    gradients = found["gradients"]
    if gradients is None or gradients["suggestion"] is None:
        why = "it left gradients out" if gradients is None else "no level's gradient led back"
        raise ValueError(
            f"`score.probe` must suggest noise levels, got {score.probe}, which does not: {why}; "
            "name another probe, or leave out score.levels."
        )
    return found
