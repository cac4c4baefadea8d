"""What all priors of a study answer about a clip's pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.base import Prior
from motiondistill.probing.pairs import KINDS, OWN, Kind, Member, Video
from motiondistill.probing.statistic import common_noise, errors
from motiondistill.probing.study import (
    Clip,
    Sentences,
    Study,
    Videos,
    partners_of,
    sentences_of,
    videos_of,
)
from motiondistill.score.levels import log_snr, tau_of

_MEMBERS: Final = tuple(
    dict.fromkeys(member for kind in KINDS for member in (*kind.natural, *kind.wrong))
)


@final
@dataclass(frozen=True)
class PairRow:
    """What one network says of one pair under one draw of noise."""

    prompt: str
    clip: str
    recording: str
    """Rows of one recording, as clip or as partner, are no evidence independent of each other."""
    partner: str
    """The clip of another action that it was held against; empty where the kind needs none."""
    partner_recording: str
    """Of the partner; the clip's own without one."""
    kind: str
    network: str
    """A name in `Study.priors`."""
    level: float
    """As a flow time."""
    log_snr: float
    view: float
    """Azimuth against the heading, radians."""
    draw: int
    preferred: float
    """Unconditional minus conditional error of the natural side, in units of the noise's power."""
    other: float
    error: float
    """The unconditional error of the clip: what both differences are small against."""


def pair_rows(study: Study, clip: Clip, clips: Sequence[Clip]) -> Iterator[PairRow]:
    """All that all priors say of the clip's pairs; partners are found among `clips`.

    Raises FloatingPointError for answers that are no numbers.
    """
    views, partners = videos_of(study, clip), partners_of(study, clip, clips)
    others = {one.name: study.seen(one.motion, study.azimuths) for one in partners}
    for draw in range(study.settings.draws):
        partner = partners[draw] if partners else None
        for view, azimuth in enumerate(study.azimuths.tolist()):
            shown = dict(views[view])
            if partner is not None:
                shown["other clip"] = others[partner.name][view]
            words = None if partner is None else partner.prompt
            sentences = sentences_of(study.wording, clip.prompt, words, azimuth)
            for level, sigma in enumerate(study.sigmas):
                noise = common_noise(
                    study.prior.format,
                    (*shown["real"].shape,),
                    study.generator(clip, draw, f"noise {view} {level}"),
                )
                place = (float(tau_of(sigma)), float(log_snr(sigma)), azimuth, draw)
                for network, prior in study.priors.items():
                    gains = _gains(prior, shown, sentences, sigma, noise)
                    yield from _rows(clip, partner, network, place, gains)


def kinds_asked(rows: Sequence[PairRow]) -> list[Kind]:
    """The kinds of which there are rows, in their order."""
    names = {row.kind for row in rows}
    return [kind for kind in KINDS if kind.name in names]


Gains = Mapping[Member, tuple[float, float]]
"""Of each member, how much the words explain, and the error without them."""


@torch.no_grad()
def _gains(
    prior: Prior,
    shown: Videos,
    sentences: Sentences,
    sigma: Float[Tensor, ""],
    noise: Float[Tensor, "C f h w"],
) -> Gains:
    """One call of the denoiser for all members, each with its words and with none."""
    videos: list[Video] = list(shown)
    members = [m for m in _MEMBERS if m[0] in shown and m[1] in sentences]
    asked = [*((video, "") for video in videos), *((v, sentences[w]) for v, w in members)]
    clips = torch.stack([shown[video] for video, _ in asked])
    found = errors(
        prior,
        clips,
        [words for _, words in asked],
        sigma.expand(len(asked)),
        noise.to(clips).expand(clips.shape),
    )
    if not found.isfinite().all():
        raise FloatingPointError(
            f"The prior must answer in numbers, got {float(found[~found.isfinite()][0])} at noise "
            f"level {float(tau_of(sigma)):.3g}; compute in prior.dtype=float32, or leave the level "
            "out of probe.levels."
        )
    without = dict(zip(videos, found[: len(videos)].tolist(), strict=True))
    explained = zip(members, found[len(videos) :].tolist(), strict=True)
    return {m: (without[m[0]] - error, without[m[0]]) for m, error in explained}


def _rows(
    clip: Clip,
    partner: Clip | None,
    network: str,
    place: tuple[float, float, float, int],
    gains: Gains,
) -> Iterator[PairRow]:
    """A row for each kind of which there are all members."""
    for kind in KINDS:
        if not gains.keys() >= {*kind.natural, *kind.wrong}:
            continue
        compares = any(video == "other clip" for video, _ in (*kind.natural, *kind.wrong))
        other = partner if compares else None
        yield PairRow(
            clip.prompt,
            clip.name,
            clip.recording,
            "" if other is None else other.name,
            clip.recording if other is None else other.recording,
            kind.name,
            network,
            *place,
            mean(gains[member][0] for member in kind.natural),
            mean([gains[member][0] for member in kind.wrong] or [0.0]),
            gains[OWN][1],
        )
