"""The prior that is shipped with the package, and a whole short run of the default job on it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.skinning import SkinnedBody
from motiondistill.building import objects
from motiondistill.cameras import Orbit
from motiondistill.data.captions import canonical_caption
from motiondistill.data.parametric import parametric_motion
from motiondistill.engine.optimize import initial_state, optimize
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.starts import FitSettings
from motiondistill.motion.pose_field import PoseField
from motiondistill.priors import EMBEDDED_IMAGE_PRIOR, EMBEDDED_PRIOR, Prior, load_prior
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.schema.jobs import OptimizeConfig
from motiondistill.score.objectives import prompt_evidence

MAX_BYTES, MAX_IMAGE_BYTES = 15e6, 5e6  # what the package may weigh for them
# Of command lines and file names; others would be placeholders.
KNOWN_CAPITALS = {
    "MOTIONDISTILL_CACHE",
    "FOLDER",
    "SOURCES",
    "PROMPT",
    "LICENSE",
    "README",
    "TRAINING",
}
HIDING = 10.0  # a noise level at which the words, not the pixels, tell what is to be seen
CODEC_ERROR = 0.003  # mean squared error of a rendered frame; a grey frame has 0.02


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior(EMBEDDED_PRIOR)


@pytest.mark.parametrize(
    ("folder", "most"), [(EMBEDDED_PRIOR, MAX_BYTES), (EMBEDDED_IMAGE_PRIOR, MAX_IMAGE_BYTES)]
)
def test_it_is_small(folder: Path, most: float) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= most


def test_it_says_what_it_takes(prior: Prior) -> None:
    clip = prior.format
    assert (clip.frames, clip.fps, clip.height, clip.width) == (16, 8.0, 64, 64)


@pytest.fixture(scope="module")
def render(low_body: SkinnedBody) -> Float[Tensor, "views frames 3 height width"]:
    """The neutral stance from the eight named views, as in a default run."""
    field = PoseField(generator=seeded(0))
    azimuths = torch.arange(len(VIEW_NAMES)) * (2 * torch.pi / len(VIEW_NAMES))
    with torch.no_grad():
        return Scene(CpuRasterizer())(low_body(field(16, 8.0)), Orbit()(azimuths))


def test_its_codec_keeps_our_body(prior: Prior, render: Tensor) -> None:
    with torch.no_grad():
        rebuilt = prior.decode(prior.encode(render))
    assert (rebuilt - render).square().mean() < CODEC_ERROR


def test_it_tells_the_views_apart(prior: Prior, render: Tensor) -> None:
    """A still person is denoised best with the words of the right view, front against back."""
    front, back = (f"a person stands still, {VIEW_NAMES[index]}" for index in (0, 4))
    latents = prior.encode(render[[0, 4]])
    right, wrong = prior.embed([front, back]), prior.embed([back, front])
    gain = prompt_evidence(
        prior,
        latents,
        right,
        wrong,
        sigma=torch.full((2,), HIDING),
        generator=seeded(0, 0, "views"),
    )
    assert gain.min() > 0


def clips_of(action: str, body: SkinnedBody, views: Tensor) -> Tensor:
    """A parametric clip from these of the eight named views."""
    motion = parametric_motion(action, "right", seeded(9, 0, action), body.rest_joints, 8.0, 16)
    with torch.no_grad():
        cameras = Orbit()(views * (2 * torch.pi / len(VIEW_NAMES)))
        return Scene(CpuRasterizer())(body(motion), cameras)


def best_words(
    prior: Prior, clips: list[Tensor], actions: Sequence[str], views: Tensor, level: float = HIDING
) -> Tensor:
    """For the clips of each action (seen from `views`), the action whose words explain it best."""
    gains = torch.zeros(len(clips), len(actions))
    sides = [VIEW_NAMES[view] for view in views.tolist()]
    without = prior.embed([f"a person stands still, {side}" for side in sides])
    for row, clip in enumerate(clips):
        latents = prior.encode(clip)
        for column, action in enumerate(actions):
            words = canonical_caption(action, "right")
            gains[row, column] = prompt_evidence(
                prior,
                latents,
                prior.embed([f"{words}, {side}" for side in sides]),
                without,
                sigma=torch.full((len(sides),), level),
                generator=seeded(0, row, "actions"),
            ).mean()
    return gains.argmax(1)


@pytest.mark.slow
def test_it_tells_actions_apart(prior: Prior, low_body: SkinnedBody) -> None:
    """Where noise hides what moves, an action is denoised best with its own words."""
    actions = ("walk", "jumping jacks", "squat", "raise both arms", "bow")
    views = torch.arange(0, len(VIEW_NAMES), 2)
    clips = [clips_of(action, low_body, views) for action in actions]
    assert best_words(prior, clips, actions, views).tolist() == list(range(len(actions)))


@pytest.mark.slow
@pytest.mark.parametrize("level", [1.5, 3.0, HIDING])
def test_the_image_prior_tells_the_frames_of_actions_apart(
    level: float, low_body: SkinnedBody
) -> None:
    """The frames of an action, taken together, are denoised best with its own words."""
    prior = load_prior(EMBEDDED_IMAGE_PRIOR)
    actions = ("jumping jacks", "squat", "raise both arms", "sit", "wave", "stand")
    views = torch.arange(0, len(VIEW_NAMES), 2)
    clips = [clips_of(action, low_body, views)[:, 3:13:3] for action in actions]
    frames = [clip.flatten(0, 1)[:, None] for clip in clips]
    sides = views.repeat_interleave(clips[0].shape[1])
    found = best_words(prior, frames, actions, sides, level)
    assert found.tolist() == list(range(len(actions)))


@pytest.mark.slow
def test_the_default_job_runs_on_it(low_body: SkinnedBody, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "anny_body", lambda *_: low_body)
    few = OptimizeConfig(
        init=FitSettings(num_samples=2, sampling_steps=2, num_steps=2),
        score=DistillSettings(num_steps=2, views=2),
    )
    problem, settings = objects.make_problem(few, "a person is walking"), objects.make_settings(few)
    steps = list(optimize(problem, settings, initial_state(problem, settings)))
    assert [step.stage for step in steps] == ["fit", "fit", "distill", "distill"]
    assert all(bool(step.loss.isfinite()) for step in steps)
    assert steps[-1].motion.num_frames == 16


def test_every_page_is_finished() -> None:
    root = Path(__file__).parent.parent
    pages = [*root.glob("*.md"), *root.glob("*/*.md")]
    pages += [EMBEDDED_PRIOR / "README.md", EMBEDDED_IMAGE_PRIOR / "README.md"]
    assert len(pages) >= 5
    for page in pages:
        words = set(re.findall(r"\b[A-Z]{6,}[A-Z_-]*\b", page.read_text(encoding="utf-8")))
        assert words <= KNOWN_CAPITALS, f"{page} still has {words - KNOWN_CAPITALS}"
