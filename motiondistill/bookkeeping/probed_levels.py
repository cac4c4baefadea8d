"""Noise levels and guidance that a probe suggests, for `score.levels=auto`."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from motiondistill import config as configs
from motiondistill.bookkeeping.probe_files import read_finished
from motiondistill.engine.settings import DistillSettings
from motiondistill.schema.jobs import OptimizeConfig, Schema
from motiondistill.schema.knobs import show

_log = logging.getLogger(__name__)
_LEVELS: Final = ("score.first_level", "score.last_level")
# What a record has to say of a probe for `probed` to hold without the probe.
_RECORDED: Final = ("score.probe", "score.objective", "score.guidance_scale", *_LEVELS)


def load_with_record(
    schema: type[Schema],
    config: str | None,
    overrides: Sequence[str],
    *,
    base: Mapping[str, Any] | None = None,
) -> Schema:
    """As `config.load`, with `auto` for `probed` levels of which no record tells the origin.

    The record is `base`, of a run that goes on, or else `config`. Another probe, objective or
    guidance than it has is given to a probe to judge, for which `with_probed_levels` reads it.
    Raises as that does, and ValueError for other levels that should count as probed.
    """
    if base is None:
        record, given = configs.given(schema, config, []), configs.given(schema, None, overrides)
    else:
        record, given = dict(configs.flat(base)), configs.given(schema, config, overrides)
    whole, asked = record.keys() >= {*_RECORDED}, record | given
    levels = asked.get("score.levels")
    changed = [key for key in _RECORDED if key in given and given[key] != record.get(key)]
    held = whole and record.get("score.levels") == "probed" and not changed
    if levels not in ("auto", "probed") or (levels == "probed" and held):
        return configs.load(schema, config, overrides, base=base)
    if levels == "probed":
        _check_levels(record, given, changed)
    if whole:  # it holds what some probe, or nobody, made of these
        probe = asked["score.probe"]
        found = _probe_of(None if probe is None else str(probe))
        stale = {f"score.{name}" for name in _settled(found)}
        record = {key: value for key, value in record.items() if key not in stale}
        given = {key: value for key, value in given.items() if key not in stale or key in changed}
    return configs.load(schema, base=record | given | {"score.levels": "auto"})


def with_probed_levels(config: OptimizeConfig) -> OptimizeConfig:
    """The configuration with the levels of its probe in place of `auto`; others as they are.

    The levels are then `probed`, and the probe stays named, so that a run tells where from;
    `load_with_record` tells which of these are still what the probe said.
    The guidance scale is the probe's, too, where the probe's objective depends on it. Raises
    ValueError and FileNotFoundError, which name the key, without a probe, for one that has no
    suggestion, and for one of another objective or guidance scale than is given.
    """
    score = config.score
    if score.levels == "given":
        return config
    _check_path(score)
    if score.levels == "probed":
        _check_named(score.probe)
        return config
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


def _settled(found: Mapping[str, Any]) -> dict[str, Any]:
    """The suggestion as keys of the score: levels, and guidance where the objective heeds it."""
    names = ("first_level", "last_level", "guidance_scale")
    chosen = found["gradients"]["suggestion"]
    return {name: chosen[name] for name in names if chosen[name] is not None}


def _check_path(score: DistillSettings) -> None:
    if score.level_path == "timesteps":
        raise ValueError(
            f"`score.level_path` must not be timesteps for score.levels={score.levels}, whose "
            "levels are flow times, got 'timesteps'; take another, such as uniform."
        )


def _check_levels(
    record: Mapping[str, Any], given: Mapping[str, Any], changed: Sequence[str]
) -> None:
    """Refuses levels of the user's own that would be recorded as a probe's."""
    for key in _LEVELS:
        if key in changed:
            known = f"the probe's {show(record[key])}" if key in record else "left to the probe"
            raise ValueError(
                f"`{key}` must be {known} for score.levels=probed, got {show(given[key])}; leave "
                "it out, or add score.levels=given score.probe=null."
            )


def _check_named(probe: str | None) -> str:
    if probe is None:
        raise ValueError(
            "`score.probe` must name a probe's folder for levels of a probe, got null; make one by "
            "`motiondistill probe --out FOLDER` and add score.levels=auto score.probe=FOLDER."
        )
    return probe


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
    found = read_finished("score.probe", Path(_check_named(probe)).expanduser())
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
