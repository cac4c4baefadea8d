"""Noise levels and guidance that a probe suggests, for `score.levels=auto`."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motiondistill.bookkeeping.probe_files import read_finished
from motiondistill.engine.settings import DistillSettings
from motiondistill.schema.jobs import OptimizeConfig

_log = logging.getLogger(__name__)


def with_probed_levels(config: OptimizeConfig) -> OptimizeConfig:
    """The configuration with the levels of its probe in place of `auto`; others as they are.

    The levels are then `probed`, and the probe stays named, so that a run tells where from.
    The guidance scale is the probe's, too, where the probe's objective depends on it. Raises
    ValueError and FileNotFoundError, which name the key, without a probe, for one that has no
    suggestion, and for one of another objective or guidance scale than is given.
    """
    score = config.score
    if score.levels != "auto":
        return config
    _check_path(score)
    found = _probe_of(score.probe)
    if found["prior"]["model"] != config.prior.model:
        _log.warning(
            "the noise levels were probed of %s, and the prior is %s",
            found["prior"]["model"],
            config.prior.model,
        )
    chosen = _settled(found)
    _check_same(score, found["gradients"]["objective"], chosen)
    score = dataclasses.replace(
        score,
        levels="probed",
        first_level=chosen["first_level"],
        last_level=chosen["last_level"],
        guidance_scale=chosen.get("guidance_scale", score.guidance_scale),
    )
    _log.info(
        "the probe suggests noise levels from %.3g to %.3g, guidance %.3g",
        score.first_level,
        score.last_level,
        score.guidance_scale,
    )
    return dataclasses.replace(config, score=score)


def probed_keys(probe: str | None) -> tuple[str, ...]:
    """Which keys of the score the probe settles for `auto`; raises as `with_probed_levels` does."""
    return tuple(_settled(_probe_of(probe)))


def _settled(found: Mapping[str, Any]) -> dict[str, Any]:
    """The suggestion as keys of the score: levels, and guidance where the objective heeds it."""
    names = ("first_level", "last_level", "guidance_scale")
    chosen = found["gradients"]["suggestion"]
    return {name: chosen[name] for name in names if chosen[name] is not None}


def _check_path(score: DistillSettings) -> None:
    if score.level_path == "timesteps":
        raise ValueError(
            "`score.level_path` must not be timesteps for score.levels=auto, whose levels are flow "
            "times, got 'timesteps'; take another, such as uniform."
        )


def _check_same(score: DistillSettings, objective: str, chosen: Mapping[str, float]) -> None:
    """Refuses a run that would follow other gradients than the probe looked at."""
    if score.objective != objective:
        raise ValueError(
            f"`score.objective` must be {objective} for score.levels=auto, as in the probe "
            f"{score.probe}, got {score.objective!r}; add score.objective={objective}, or name a "
            f"probe that was made with score.objective={score.objective}."
        )
    given, usual = score.guidance_scale, DistillSettings().guidance_scale
    suggested = chosen.get("guidance_scale", given)
    if given not in (usual, suggested):
        raise ValueError(
            f"`score.guidance_scale` must be the {suggested:g} that the probe {score.probe} "
            f"suggests for score.levels=auto, got {given:g}; leave it out, or give the levels by "
            f"score.first_level={chosen['first_level']:g} and "
            f"score.last_level={chosen['last_level']:g} in place of the probe."
        )


def _probe_of(probe: str | None) -> dict[str, Any]:
    """The figures of the probe, which has a suggestion."""
    if probe is None:
        raise ValueError(
            "`score.probe` must name a probe's folder for score.levels=auto, got null; make one by "
            "`motiondistill probe --out FOLDER` and add score.probe=FOLDER."
        )
    found = read_finished("score.probe", Path(probe).expanduser())
    gradients = found["gradients"]
    if gradients is None or gradients["suggestion"] is None:
        why = (
            "it left gradients out"
            if gradients is None
            else "no level's gradient led back for certain"
        )
        raise ValueError(
            f"`score.probe` must suggest noise levels, got {probe}, which does not: {why}; "
            "name another probe, or leave out score.levels."
        )
    return found
