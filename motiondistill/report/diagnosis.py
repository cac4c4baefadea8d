"""Where prompts fail, from what a diagnosis left in its folders: one plain record for all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any, Final, Literal, final

from motiondistill import config as configs
from motiondistill.atomic import write_text
from motiondistill.body.base import Body
from motiondistill.bookkeeping.store import earlier_metrics
from motiondistill.building.diagnosis import clips_config
from motiondistill.data.labels import action_in
from motiondistill.metrics.catalogue import CATALOGUE
from motiondistill.metrics.owners import RULE, caution, owner, remark, rests_on
from motiondistill.metrics.recogniser import Recogniser
from motiondistill.motion.motion_file import MotionFile, load_motion
from motiondistill.report.measuring import FEWEST_FRAMES, physical_measurements
from motiondistill.schema.jobs import DiagnoseConfig

DIAGNOSIS: Final = "diagnosis.json"
Stage = Literal["representation", "samples", "latents", "distillation"]
STAGES: Final[tuple[Stage, ...]] = ("representation", "samples", "latents", "distillation")
QUESTIONS: Final[Mapping[Stage, str]] = {
    "representation": "Rendered true clips, and the motions fitted to them: can the body and what "
    "stands for its motion show the action, and does a fit from one side find it?",
    "samples": "The prior's own videos of the prompt, and the motions fitted to them the same way: "
    "does the prior show the action?",
    "latents": "A clip without a body, moved to where the score leads, and the motion fitted to "
    "it: does the score lead to the action, whatever stands for the motion?",
    "distillation": "The motion that `optimize` makes of the prompt.",
}
FIGURES: Final = ("sliding_speed", "penetration", "floating", "jerk", "dynamic_degree")
"""Ids of the physical figures that are told of each motion."""
_LIKELY: Final = 3  # actions that are told

Status = Literal["finished", "stopped", "failed", "left out", "not begun"]


@final
@dataclass(frozen=True)
class Case:
    """One prompt, where each stage keeps what it found, and why stages have nothing.

    Stages that are left out need no folder.
    """

    prompt: str
    folders: Mapping[Stage, Path]
    left_out: Mapping[Stage, str] = field(default_factory=dict)
    failures: Mapping[Stage, str] = field(default_factory=dict)


def diagnosis(
    folder: Path,
    config: DiagnoseConfig,
    cases: Sequence[Case],
    body: Body,
    recogniser: Recogniser,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """All that was found of the cases, with definitions and origin; paths are within `folder`."""
    told = [_case(folder, case, body, recogniser) for case in cases]
    statuses = [cell["status"] for case in told for cell in case["cells"].values()]
    return {
        "motiondistill": version("motiondistill"),
        "about": dict(about),
        "prior": config.prior.named,
        "finished": not {"not begun", "stopped"} & {*statuses},
        "rule": RULE,
        "questions": dict(QUESTIONS),
        "definitions": _definitions(),
        "updates": _updates(config),
        "cases": told,
        "config": configs.to_dict(config),
    }


def write_diagnosis(folder: Path, found: Mapping[str, Any]) -> None:
    """The record as `DIAGNOSIS` in the folder."""
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(folder / DIAGNOSIS, text)


def verdict(asked: str | None, cells: Mapping[Stage, Mapping[str, Any]]) -> dict[str, Any]:
    """Whose the failure is, by `owners.RULE`: `none` where there is none, None where none is told.

    With it stands what it rests on. `cells` have a `status` and `hits`, which are those motions
    that count.
    """
    if asked is None:
        return _untold("The prompt names none of the actions that are recognised, or several.")
    if any(cells[stage]["status"] in ("not begun", "stopped") for stage in STAGES):
        return _untold("Not all stages are finished.")
    if not cells["distillation"]["hits"]:
        return _untold("There is no distilled motion.")
    if all(cells["distillation"]["hits"]):
        return _without_owner("none", "")
    samples, latents = (cells[name]["hits"] or [] for name in ("samples", "latents"))
    if not samples:
        return _untold("There is no sample to tell what the prior shows.")
    truth = cells["representation"]["hits"] or []
    found = owner(truth=truth, samples=samples, latents=latents)
    told = [remark(found, latents)]
    if not truth:
        told.append("No true clip tells of the representation, which is not doubted.")
    return {
        "owner": found,
        "remark": " ".join(filter(None, told)),
        "rests_on": rests_on(found, truth=truth, samples=samples),
        "caution": caution(found, truth=truth, samples=samples, latents=latents),
    }


def _untold(why: str) -> dict[str, Any]:
    return _without_owner(None, why)


def _without_owner(found: Literal["none"] | None, why: str) -> dict[str, Any]:
    return {"owner": found, "remark": why, "rests_on": {}, "caution": ""}


def _updates(config: DiagnoseConfig) -> dict[str, int | None]:
    clips = clips_config(config)
    return {
        "fit": config.init.num_steps,
        "latents": None if clips is None else clips.score.num_steps,
        "distillation": config.score.num_steps,
    }


def _case(folder: Path, case: Case, body: Body, recogniser: Recogniser) -> dict[str, Any]:
    asked = action_in(case.prompt)
    cells = {stage: _cell(folder, case, stage, body, recogniser) for stage in STAGES}
    told = verdict(asked, cells)
    return {"prompt": case.prompt, "asked": asked, **told, "cells": cells}


def _cell(
    folder: Path, case: Case, stage: Stage, body: Body, recogniser: Recogniser
) -> dict[str, Any]:
    if stage in case.left_out:
        return _empty("left out", case.left_out[stage])
    if stage in case.failures:
        return _empty("failed", case.failures[stage])
    place, asked = case.folders[stage], action_in(case.prompt)
    known = earlier_metrics(place)
    if not known or not known["finished"]:
        return _empty("stopped" if known else "not begun", "")
    if "left_out" in known:
        return _empty("left out", known["left_out"])
    # What other commands leave is one motion.
    clips = known.get("clips") or [{"name": "", "motion": "motion.npz", "before": None}]
    motions = []
    for clip in clips:
        file = load_motion(place / clip["motion"])
        shown = str((place / clip["motion"]).relative_to(folder))
        told = {"name": clip["name"], "file": shown, "before": clip["before"]}
        motions.append(told | _recognised(file, asked, recogniser) | {"figures": _of(file, body)})
    # What was not recognised before the fit tells nothing of the fit.
    counted = [each for each in motions if each["before"] in (None, asked)]
    return {
        "status": "finished",
        "why": "" if counted else "The true motions themselves are not recognised.",
        "folder": str(place.relative_to(folder)),
        "motions": motions,
        "hits": None if asked is None else [each["action"] == asked for each in counted],
        "probability": mean(each["probability"] for each in counted)
        if asked is not None and counted
        else None,
        "figures": _medians([each["figures"] for each in motions]),
        "seconds": known.get("seconds"),
    }


def _empty(status: Status, why: str) -> dict[str, Any]:
    return {"status": status, "why": why, "motions": [], "hits": None, "probability": None}


def _recognised(file: MotionFile, asked: str | None, recogniser: Recogniser) -> dict[str, Any]:
    found = recogniser.recognise(file.joints, file.motion.fps)
    return {
        "action": found.action,
        "probability": None if asked is None else found.probabilities[asked],
        "probabilities": {name: found.probabilities[name] for name in found.among(_LIKELY)},
    }


def _of(file: MotionFile, body: Body) -> dict[str, float | None]:
    """The motion's physical figures by id; none of a motion that is too short."""
    if file.motion.num_frames < FEWEST_FRAMES:
        return {}
    every = {each.metric.id: each.value for each in physical_measurements(file.motion, body)}
    return {name: every[name] for name in FIGURES}


def _medians(every: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Of each figure, over the motions of which it is known."""
    found: dict[str, float | None] = {}
    for name in FIGURES:
        known = [each[name] for each in every if each.get(name) is not None]
        found[name] = median(known) if known else None  # type: ignore[type-var]
    return found


def _definitions() -> dict[str, str]:
    return {
        "hits": "of each motion that counts, whether it is recognised as the action that the "
        "prompt names; of the representation, those count whose true motion is recognised",
        "probability": "the recogniser's, of that action: a mean over the same motions",
        "owner": "whose the failure is, by the rule; none where the distilled motion is recognised",
        "rests_on": "how many motions there are of each stage whose share decided the owner",
        "caution": "where one more motion of such a stage, recognised or not, would turn the "
        "owner: how many of its motions are recognised; else empty",
        "updates": "steps of each optimisation: of the fit of motions to videos (true clips, "
        "samples and the clip without a body alike), of that clip, and of the distillation",
        "figures": "medians over the motions of a cell",
    } | {name: CATALOGUE[name].definition.partition(" n: ")[0] for name in FIGURES}
