"""All that is measured of some motions, one by one and together, beside reference motions."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.data.labels import action_in
from motiondistill.metrics.alignment import at_rate
from motiondistill.metrics.catalogue import (
    CATALOGUE,
    STILL,
    Measurement,
    known,
    unknown,
)
from motiondistill.metrics.distribution import (
    Estimate,
    TooFewError,
    chance_precision,
    diversity,
    fid_estimate,
    mm_dist,
    r_precision,
    repeated,
)
from motiondistill.metrics.evaluator_own import OwnEvaluator, as_text
from motiondistill.metrics.recogniser import ACTIONS
from motiondistill.metrics.spread import diversity_joints, multimodality_joints, started_alike
from motiondistill.motion.motion_file import MotionFile
from motiondistill.priors.clip_score import ClipScorer
from motiondistill.randomness import seeded
from motiondistill.render.rasterizer import Rasterizer
from motiondistill.report.measuring import (
    FEWEST_FRAMES,
    Reference,
    floor_estimate,
    physical_measurements,
    posed,
    reference_measurements,
    video_measurements,
)
from motiondistill.structures import Motion

_WITHOUT_REFERENCE: Final = "no references; add --reference DIR"


@dataclass(frozen=True)
class Subject:
    """A motion that is to be measured, on the body that it was made for."""

    name: str
    file: MotionFile
    body: Body
    video: Path | None = None
    """What shows it, if anything does."""

    @property
    def motion(self) -> Motion:
        """The motion itself."""
        return self.file.motion


@dataclass(frozen=True)
class Evaluated:
    """One motion's figures."""

    name: str
    prompt: str
    body: str
    fps: float
    frames: int
    floor: float
    """Height on which it seems to stand, metres; metrics take y = 0."""
    joints: Float[Tensor, "frames joints 3"]
    measured: tuple[Measurement, ...]

    @property
    def still(self) -> bool:
        """Whether it is a statue, whose smoothness is no merit."""
        return any(
            each.metric.id == "dynamic_degree" and each.value is not None and each.value < STILL
            for each in self.measured
        )


@dataclass(frozen=True)
class Evaluation:
    """The figures of all motions."""

    motions: tuple[Evaluated, ...]
    together: tuple[Measurement, ...]
    """Of the motions as a set."""
    references: tuple[Evaluated, ...]
    evaluator: str
    """What gave the figures named `*_own`."""

    @property
    def usual(self) -> Mapping[str, Measurement]:
        """The median of each physical metric over the references that have it."""
        found: dict[str, list[float]] = {}
        for reference in self.references:
            for each in reference.measured:
                if each.value is not None:
                    found.setdefault(each.metric.id, []).append(each.value)
        return {id: known(id, median(values), len(values)) for id, values in found.items()}


def evaluate(
    subjects: Sequence[Subject],
    references: Sequence[Subject],
    evaluator: OwnEvaluator,
    rasterizer: Rasterizer,
    clip: ClipScorer | None = None,
) -> Evaluation:
    """Every metric of the catalogue, each with its value or the reason why it has none.

    Raises ValueError for a motion of fewer than 4 frames.
    """
    real = tuple(_physical(each) for each in references)
    known_motions = [
        Reference(each.name, subject.motion, at_rate(each.joints, each.fps))
        for each, subject in zip(real, references, strict=True)
    ]
    motions = []
    for subject in subjects:
        found = _physical(subject)
        extra = video_measurements(
            subject.video, subject.motion.num_frames, subject.file.prompt, clip
        )
        extra += _beside(subject, known_motions, rasterizer)
        motions.append(_with(found, extra))
    together = [*_spread(motions), *_own(motions, real, evaluator)]
    return Evaluation(tuple(motions), tuple(together), real, evaluator.name)


def _physical(subject: Subject) -> Evaluated:
    motion = subject.motion
    if motion.num_frames < FEWEST_FRAMES:
        raise ValueError(
            f"`FILE` must hold at least {FEWEST_FRAMES} frames, got {motion.num_frames} in "
            f"{subject.name}; name a longer motion."
        )
    mesh = posed(subject.body, motion)
    return Evaluated(
        subject.name,
        subject.file.prompt,
        subject.body.name,
        motion.fps,
        motion.num_frames,
        floor_estimate(mesh),
        mesh.joints,
        tuple(physical_measurements(motion, subject.body, mesh)),
    )


def _with(found: Evaluated, extra: Sequence[Measurement]) -> Evaluated:
    return dataclasses.replace(found, measured=(*found.measured, *extra))


def _beside(
    subject: Subject, references: Sequence[Reference], rasterizer: Rasterizer
) -> list[Measurement]:
    if not references:
        kinds = [metric.id for metric in CATALOGUE.values() if metric.kind == "reference"]
        return [unknown(id, 0, _WITHOUT_REFERENCE) for id in kinds]
    return reference_measurements(subject.motion, subject.body, references, rasterizer)


def _spread(motions: Sequence[Evaluated]) -> list[Measurement]:
    """What differs between the motions in space."""
    paths = [started_alike(at_rate(each.joints, each.fps)) for each in motions]
    groups: dict[str, list[Tensor]] = {}
    for each, path in zip(motions, paths, strict=True):
        groups.setdefault(each.prompt, []).append(path)
    several = [group for prompt, group in groups.items() if prompt and len(group) > 1]
    return [
        known("diversity_joints", float(diversity_joints(paths)), len(paths))
        if len(paths) > 1
        else unknown("diversity_joints", len(paths), "needs at least 2 motions"),
        known("multimodality_joints", float(multimodality_joints(several)), len(several))
        if several
        else unknown("multimodality_joints", 0, "needs 2 motions of one prompt"),
    ]


def _own(
    motions: Sequence[Evaluated], references: Sequence[Evaluated], evaluator: OwnEvaluator
) -> list[Measurement]:
    """What our own recogniser makes of the motions."""
    features, others = (
        [evaluator.features(each.joints, each.fps) for each in group]
        for group in (motions, references)
    )
    named = [(each, _action(each.prompt)) for each in motions]
    asked = [(each, action) for each, action in named if action is not None]
    seen = [evaluator.probabilities(each.joints, each.fps) for each, _ in asked]
    empty = torch.zeros(0, len(ACTIONS))
    shown = torch.stack(seen) if seen else empty
    texts = torch.stack([as_text(action) for _, action in asked]) if asked else empty
    labels = texts.argmax(-1)

    def precision(generator: torch.Generator) -> Float[Tensor, "3"]:
        return r_precision(texts, shown, labels, generator)

    tops = [f"r_precision_top{k}_own" for k in (1, 2, 3)]
    measured = _estimated(
        tops, len(asked), lambda: repeated(precision, seeded(0, 0, "r_precision_own"))
    )
    if measured[0].value is not None:
        by_chance = chance_precision(labels).tolist()
        measured = [
            dataclasses.replace(each, note=f"{share:.3f} by chance")
            for each, share in zip(measured, by_chance, strict=True)
        ]
    measured.append(
        known("mm_dist_own", float(mm_dist(texts, shown)), len(asked))
        if asked
        else unknown("mm_dist_own", 0, "no prompt names one known action")
    )
    one_each = torch.stack([each.mean(0) for each in features])
    measured += _estimated(
        ["diversity_own"],
        len(motions),
        lambda: repeated(lambda g: diversity(one_each, g), seeded(0, 0, "diversity_own")),
    )
    if not others:
        return [unknown("fid_own", 0, _WITHOUT_REFERENCE), *measured]
    windows = min(sum(map(len, group)) for group in (features, others))
    distance = _estimated(
        ["fid_own"],
        windows,
        lambda: [fid_estimate(features, others, seeded(0, 0, "fid_own"))],
    )
    return [*distance, *measured]


def _action(prompt: str) -> str | None:
    """The action that the prompt asks for, if the recogniser knows it."""
    action = action_in(prompt)
    return action if action in ACTIONS else None


def _estimated(
    ids: Sequence[str], n: int, estimate: Callable[[], Sequence[Estimate]]
) -> list[Measurement]:
    """The estimates, or why the set is too small for them."""
    try:
        found = estimate()
    except TooFewError as error:
        return [unknown(id, n, str(error)) for id in ids]
    return [
        Measurement(CATALOGUE[id], each.value, n, each.interval)
        for id, each in zip(ids, found, strict=True)
    ]
