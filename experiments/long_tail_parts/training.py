"""The priors of the study: a base for each seed, and five short trainings that go on from it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import Accelerator
from diffusers import LattePipeline
from embedded_training.clips import FPS, FRAMES, SIZE
from embedded_training.denoising import (
    Batch,
    Denoising,
    clip_batch,
    latte_velocity,
    tokeniser,
    validation_batches,
)
from embedded_training.emphasis import emphasis
from embedded_training.export import MAX_FILE_BYTES, Layout
from embedded_training.loop import Recipe, make_accelerator
from embedded_training.networks import SCHEDULER, TEXT_TOKENS, build_denoiser, seeded_weights
from embedded_training.prior_stage import train_prior
from embedded_training.samples import write_video_samples
from embedded_training.stage import Rhythm

from long_tail_parts.design import ACTIONS, CLIPS, FILLERS, Model
from long_tail_parts.sets import (
    VALIDATION_CLIPS,
    VALIDATION_SEED,
    Pools,
    joined,
    make_pools,
    pool_sizes,
    training_set,
)
from motiondistill.body.base import Body
from motiondistill.priors import VideoFormat
from motiondistill.priors.loading import EMBEDDED_PRIOR

EMPHASIS: Final = 1.0
"""On errors where actions move, as in the embedded prior's last stage."""
MODELS_DRAWS: Final = 1000
"""Added to the seed that models draw with, so that they do not repeat the draws of their base."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schooling:
    """How all models are trained."""

    base_steps: int = 4000
    """Of a seed's base, on fillers alone."""
    steps: int = 2000
    """Of every model."""
    batch: int = 8
    base_rate: float = 1.5e-3
    rate: float = 1e-3
    width: int = 96
    """Of the denoiser."""
    layers: int = 4
    clips: int = CLIPS
    """In every set."""


class School:
    """What the models of a seed share: codec, words, clips, and where they lie."""

    def __init__(self, out: Path, seed: int, schooling: Schooling, body: Body) -> None:
        self.folder, self.seed, self.schooling = out / f"seed-{seed}", seed, schooling
        shipped = LattePipeline.from_pretrained(EMBEDDED_PRIOR, dtype=torch.float32)
        self.codec, self.tokenizer = shipped.vae, shipped.tokenizer
        self.text = shipped.text_encoder.requires_grad_(False)
        _log.info("clips of seed %d", seed)
        self.pools: Pools = make_pools(
            self.folder / "clips", pool_sizes(schooling.clips), seed, self.codec, body
        )
        few = dict.fromkeys((*ACTIONS, *FILLERS), VALIDATION_CLIPS)
        unseen = make_pools(out / "validation", few, VALIDATION_SEED, self.codec, body)
        self.unseen = joined(list(unseen.values()))
        # By all clips there are: what errors weigh is the same whatever a set holds.
        self.weights = emphasis(joined(list(self.pools.values())), EMPHASIS)

    def place(self, model: Model | None) -> Path:
        """The folder of a model; None is the base."""
        return self.folder / ("base" if model is None else f"row-{model.row}")

    def train(self, model: Model | None) -> bool:
        """Trains a model, or the base, to its end; whether it came there.

        It goes on where it was left. Models go on from the base, which must be there.
        """
        schooling, out = self.schooling, self.place(model)
        start = None if model is None else self.place(None) / "pipeline"
        clips, tokenise = (
            training_set(self.pools, model, schooling.clips),
            tokeniser(self.tokenizer, TEXT_TOKENS),
        )

        def draw(generator: torch.Generator) -> Batch:
            return clip_batch(clips, schooling.batch, tokenise, generator, self.weights)

        def show(folder: Path, pipeline: Path, step: int) -> None:
            write_video_samples(folder, pipeline, step, (*ACTIONS, *FILLERS))

        steps, rate, draws = schooling.base_steps, schooling.base_rate, self.seed
        if model is not None:
            steps, rate, draws = schooling.steps, schooling.rate, self.seed + MODELS_DRAWS
        return train_prior(
            Denoising(self.text, self._denoiser(start), latte_velocity),
            Recipe(steps, schooling.batch, rate, draws, start=str(start or ""), emphasis=EMPHASIS),
            accelerator(),
            draw=draw,
            validation=validation_batches(self.unseen, self.unseen.latents, tokenise),
            layout=self.layout(),
            show=show,
            setting=(out, Rhythm(save_steps=250, look_steps=steps), False),
        )

    def layout(self) -> Layout:
        """What every pipeline folder holds beside its denoiser."""
        return Layout(
            LattePipeline,
            "transformer",
            {"scheduler": SCHEDULER, "tokenizer": self.tokenizer},
            self.codec,
            VideoFormat(FPS, FRAMES, SIZE, SIZE),
            TEXT_TOKENS,
            MAX_FILE_BYTES,
        )

    def _denoiser(self, start: Path | None) -> Any:
        if start is not None:
            return LattePipeline.from_pretrained(start, dtype=torch.float32).transformer
        schooling = self.schooling
        sizes = (FRAMES, SIZE, schooling.width, schooling.layers)
        return seeded_weights(self.seed, build_denoiser, *sizes)


def accelerator() -> Accelerator:
    """The machine as all trainings want it: repeatable, and on the CPU."""
    torch.use_deterministic_algorithms(True)
    # Only a debugging aid, and it would fill every new tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False
    return make_accelerator("cpu")
