"""What is asked of which priors about which clips: what they see, and what is said of it."""

import math
from collections.abc import Mapping, Sequence
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
from motiondistill.probing.pairs import Video, Words, other_hand, side_named
from motiondistill.probing.settings import ProbeSettings
from motiondistill.prompts import Wording
from motiondistill.randomness import seeded
from motiondistill.render.scene import Scene
from motiondistill.structures import Motion

GIVEN: Final = "given"
"""The name of the prior that is probed, among its copies with random weights."""
# Radians to the other side: the opposite one or, where it has the same words, a quarter round.
_ELSEWHERE: Final = (math.pi, math.pi / 2)
Videos = Mapping[Video, Float[Tensor, "C f h w"]]
"""What a prior sees of a clip and of all that becomes of it, from one side."""
Sentences = Mapping[Words, str]


@final
@dataclass(frozen=True)
class Clip:
    """A motion that shows what its prompt says; it faces +Z and lasts as long as the prior sees."""

    name: str
    """No other clip has it."""
    prompt: str
    recording: str
    """Clips of one recording are no evidence independent of each other."""
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
    seed: int
    wording: Wording = field(default_factory=Wording)
    settings: ProbeSettings = field(default_factory=ProbeSettings)

    @property
    def prior(self) -> Prior:
        """The one that is probed."""
        return self.priors[GIVEN]

    def generator(self, clip: Clip, draw: int, purpose: str) -> torch.Generator:
        """Of what is drawn for this clip."""
        return seeded(self.seed, draw, f"probe {purpose} of {clip.name}")

    @torch.no_grad()
    def seen(
        self, motion: Motion, azimuths: Float[Tensor, " views"]
    ) -> Float[Tensor, "views C f h w"]:
        """The motion as the prior encodes it, from each of these sides."""
        return self.prior.encode(self.scene(self.body(motion), self.cameras(azimuths)))


def motions_of(study: Study, clip: Clip) -> dict[Video, Motion]:
    """The clip's motion and all that becomes of it, but for pairs that ask nothing of it.

    A mirror image is only wrong where the prompt names a side, feet slide where they stand, and
    what looks alike backwards has no direction.
    """
    settings, motion = study.settings, clip.motion
    generator = study.generator(clip, 0, "changes")
    still = changes.stopped if settings.frozen == "middle" else frozen
    found: dict[Video, Motion] = {
        "real": motion,
        "frozen": still(motion),
        "shuffled": changes.shuffled(motion, generator),
        "jittered": changes.jittered(motion, settings.jitter, generator),
    }
    mesh = study.body(motion)
    if not changes.looks_alike_backwards(mesh.joints):
        found["reversed"] = changes.reversed_in_time(motion)
    if side_named(clip.prompt) is not None:
        found["mirrored"] = mirrored(motion)
    if changes.stands_on_feet(mesh, motion.fps):
        found["slid"] = changes.slid(motion, settings.slide_speed)
    return found


def partners_of(study: Study, clip: Clip, clips: Sequence[Clip]) -> list[Clip]:
    """For each draw, a clip of another action to exchange words with; none if there is none.

    First its prompt is drawn, so that prompts with many clips have no more of a say.
    """
    others = [other for other in clips if not alike(other.prompt, clip.prompt)]
    prompts = list(dict.fromkeys(other.prompt for other in others))
    found = []
    for draw in range(study.settings.draws if others else 0):
        generator = study.generator(clip, draw, "partner")
        prompt = prompts[int(torch.randint(len(prompts), (), generator=generator))]
        own = [other for other in others if other.prompt == prompt]
        found.append(own[int(torch.randint(len(own), (), generator=generator))])
    return found


def alike(prompt: str, other: str) -> bool:
    """Whether two prompts are about one action: by name or, without a known one, by their words."""
    action = action_in(prompt)
    if action is None:
        return words_of(prompt) == words_of(other)
    return action == action_in(other)


def other_side(wording: Wording, prompt: str, azimuth: float) -> float | None:
    """An azimuth from which the clip is called by other words; None if words name no view."""
    words = wording.positive(prompt, azimuth)
    for turn in _ELSEWHERE:
        if wording.positive(prompt, azimuth + turn) != words:
            return azimuth + turn
    return None


def sentences_of(
    wording: Wording, prompt: str, partner: str | None, azimuth: float
) -> dict[Words, str]:
    """All that is said of a clip from this side, right and wrong, as far as there is something."""
    side, hand = other_side(wording, prompt, azimuth), other_hand(prompt)
    found: dict[Words, str] = {"own": wording.positive(prompt, azimuth)}
    if partner is not None:
        found["other action"] = wording.positive(partner, azimuth)
    if side is not None:
        found["other view"] = wording.positive(prompt, side)
    if hand is not None:
        found["other hand"] = wording.positive(hand, azimuth)
    return found


def videos_of(study: Study, clip: Clip) -> list[dict[Video, Float[Tensor, "C f h w"]]]:
    """For each view, what the prior sees of all that becomes of the clip.

    Cameras are those of the real motion throughout: what moves is the body.
    """
    seen = {name: study.seen(m, study.azimuths) for name, m in motions_of(study, clip).items()}
    views: list[dict[Video, Float[Tensor, "C f h w"]]] = []
    for view, azimuth in enumerate(study.azimuths.tolist()):
        shown = {name: videos[view] for name, videos in seen.items()}
        elsewhere = other_side(study.wording, clip.prompt, azimuth)
        if elsewhere is not None:
            shown["other side"] = study.seen(clip.motion, torch.tensor([elsewhere]))[0]
        views.append(shown)
    return views
