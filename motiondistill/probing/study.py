"""What is asked of which priors about which clips, and the answers of one clip."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.cameras import Orbit
from motiondistill.data.labels import action_in, words_of
from motiondistill.data.windows import mirrored
from motiondistill.motion.still import frozen
from motiondistill.priors.base import Prior
from motiondistill.probing import changes
from motiondistill.probing.pairs import KINDS, OWN, Kind, Member, Video, side_named
from motiondistill.probing.settings import ProbeSettings
from motiondistill.probing.statistic import common_noise, errors
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.render.scene import Scene
from motiondistill.score.levels import log_snr, tau_of
from motiondistill.structures import Motion

GIVEN: Final = "given"
"""The name of the prior that is probed, among its copies with random weights."""
# Radians by which a view's words are wrong: the opposite side or, where it has the same words, a
# quarter of the circle.
_ELSEWHERE: Final = (math.pi, math.pi / 2)


@final
@dataclass(frozen=True)
class Clip:
    """A motion that shows what its prompt says; it faces +Z and lasts as long as the prior sees."""

    name: str
    """No other clip has it."""
    prompt: str
    motion: Motion


@final
@dataclass(frozen=True)
class Study:
    """Who is asked, and how clips are seen."""

    priors: Mapping[str, Prior]
    """The one that is probed, `GIVEN`, and its copies; they share codec, levels and text."""
    body: Body
    scene: Scene
    cameras: Orbit
    azimuths: Float[Tensor, " views"]
    """Against the heading, radians."""
    sigmas: Float[Tensor, " levels"]
    """Levels that the prior knows."""
    prompts: Sequence[str]
    """Among them, other actions are looked for."""
    seed: int
    wording: Wording = field(default_factory=Wording)
    settings: ProbeSettings = field(default_factory=ProbeSettings)

    @property
    def prior(self) -> Prior:
        """The one that is probed."""
        return self.priors[GIVEN]


@final
@dataclass(frozen=True)
class PairRow:
    """How much more the words explain of either clip of a pair, under one draw of noise."""

    prompt: str
    clip: str
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
    """Unconditional minus conditional error, in units of the noise's power."""
    other: float
    error: float
    """The unconditional error of the preferred clip: what both differences are small against."""


def videos_of(study: Study, clip: Clip) -> dict[Video, Motion]:
    """The clip's motion and all that becomes of it, but for pairs that ask nothing of it.

    A mirror image is only wrong where the prompt names a side, and feet slide where they stand.
    """
    settings, motion = study.settings, clip.motion
    generator = _generator(study, clip, 0, "changes")
    still = changes.stopped if settings.frozen == "middle" else frozen
    videos: dict[Video, Motion] = {
        "real": motion,
        "reversed": changes.reversed_in_time(motion),
        "frozen": still(motion),
        "shuffled": changes.shuffled(motion, generator),
        "jittered": changes.jittered(motion, settings.jitter, generator),
    }
    if side_named(clip.prompt) is not None:
        videos["mirrored"] = mirrored(motion)
    if changes.stands_on_feet(study.body(motion), motion.fps):
        videos["slid"] = changes.slid(motion, settings.slide_speed)
    return videos


def other_action(study: Study, clip: Clip, draw: int) -> str | None:
    """A prompt about another action, drawn from the study's; None where there is none."""
    prompts = [prompt for prompt in study.prompts if not alike(prompt, clip.prompt)]
    if not prompts:
        return None
    generator = _generator(study, clip, draw, "other action")
    return prompts[int(torch.randint(len(prompts), (), generator=generator))]


def alike(prompt: str, other: str) -> bool:
    """Whether two prompts are about one action: by name or, without a known one, by their words."""
    action = action_in(prompt)
    if action is None:
        return words_of(prompt) == words_of(other)
    return action == action_in(other)


def other_view(wording: Wording, prompt: str, azimuth: float) -> str | None:
    """The prompt with words for a side from which the clip is not seen; None if words name none."""
    right = wording.positive(prompt, azimuth)
    for turn in _ELSEWHERE:
        wrong = wording.positive(prompt, azimuth + turn)
        if wrong != right:
            return wrong
    return None


@torch.no_grad()
def pair_rows(study: Study, clip: Clip) -> Iterator[PairRow]:
    """All that all priors say of the clip's pairs.

    Cameras are those of the real motion for all that becomes of it: what moves is the body.
    """
    latents = {name: _seen(study, motion) for name, motion in videos_of(study, clip).items()}
    shape = (*latents["real"].shape[1:],)
    for draw in range(study.settings.draws):
        wrong = other_action(study, clip, draw)
        for view, azimuth in enumerate(study.azimuths.tolist()):
            sentences = _sentences(study, clip.prompt, wrong, azimuth)
            shown = {name: videos[view] for name, videos in latents.items()}
            members = [m for m in _members(shown) if m[1] in sentences]
            for level, sigma in enumerate(study.sigmas):
                noise = common_noise(
                    study.prior.format,
                    shape,
                    _generator(study, clip, draw, f"noise {view} {level}"),
                )
                place = (float(tau_of(sigma)), float(log_snr(sigma)), azimuth, draw)
                for network, prior in study.priors.items():
                    found = _gains(prior, shown, members, sentences.__getitem__, sigma, noise)
                    yield from _rows(clip, network, place, found)


Gains = Mapping[Member, tuple[float, float]]
"""Of each member, how much the words explain, and the error without them."""


def _gains(
    prior: Prior,
    shown: Mapping[Video, Float[Tensor, "C f h w"]],
    members: Sequence[Member],
    sentence: Callable[[str], str],
    sigma: Float[Tensor, ""],
    noise: Float[Tensor, "C f h w"],
) -> Gains:
    """One call of the denoiser for all members, each with its words and with none."""
    videos = list(shown)
    asked = [*((video, "") for video in videos), *((v, sentence(w)) for v, w in members)]
    clips = torch.stack([shown[video] for video, _ in asked])
    found = errors(
        prior,
        clips,
        [words for _, words in asked],
        sigma.expand(len(asked)),
        noise.to(clips).expand(clips.shape),
    ).tolist()
    without = dict(zip(videos, found[: len(videos)], strict=True))
    return {
        member: (without[member[0]] - error, without[member[0]])
        for member, error in zip(members, found[len(videos) :], strict=True)
    }


def _rows(
    clip: Clip, network: str, place: tuple[float, float, float, int], found: Gains
) -> Iterator[PairRow]:
    """A row for each kind of which there are both members."""
    own, error = found[OWN]
    for kind in KINDS:
        if kind.other == ("real", "none"):
            other = 0.0  # what no words explain
        elif kind.other in found:
            other = found[kind.other][0]
        else:
            continue
        yield PairRow(clip.prompt, clip.name, kind.name, network, *place, own, other, error)


def _members(shown: Mapping[Video, Tensor]) -> list[Member]:
    others = [kind.other for kind in KINDS if kind.other[0] in shown]
    return [OWN, *(other for other in others if other[1] != "none")]


def _sentences(study: Study, prompt: str, wrong: str | None, azimuth: float) -> dict[str, str]:
    """What is said of the clip from this side, right and wrong, as far as there is something."""
    words = {
        "own": study.wording.positive(prompt, azimuth),
        "other action": None if wrong is None else study.wording.positive(wrong, azimuth),
        "other view": other_view(study.wording, prompt, azimuth),
    }
    return {name: sentence for name, sentence in words.items() if sentence is not None}


def _seen(study: Study, motion: Motion) -> Float[Tensor, "views C f h w"]:
    video = study.scene(study.body(motion), study.cameras(study.azimuths))
    return study.prior.encode(video)


def _generator(study: Study, clip: Clip, draw: int, purpose: str) -> torch.Generator:
    return seeded(study.seed, draw, f"probe {purpose} of {clip.name}")


def kinds_asked(rows: Sequence[PairRow]) -> list[Kind]:
    """The kinds of which there are rows, in their order."""
    names = {row.kind for row in rows}
    return [kind for kind in KINDS if kind.name in names]
