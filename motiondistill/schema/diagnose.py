"""What can be said of a diagnosis beside what `optimize` is told, and what it refuses."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DiagnoseSettings:
    """What surrounds the distillation."""

    # Motions of each prompt's action that are rendered, to have fields fitted to them; 0 leaves
    # them out.
    motions: int = 3
    # What clips without a body are asked by: a shipped configuration of `latents` (such as
    # multi_step), or a YAML file; null takes its defaults. Prior, words, body, camera and scene are
    # those of the distillation.
    latents: str | None = None
    # Updates of these clips; null takes that configuration's, 0 leaves them out.
    latent_steps: int | None = None


def check_diagnose(config: Any) -> None:
    """Refuses starts that know the motion, and fits without an update."""
    if config.init.start == "reference":
        raise ValueError(
            "`init.start` must be sampled or neutral in `diagnose`, which asks what the prior "
            "knows without a motion, got 'reference'; leave it out."
        )
    if config.init.num_steps == 0:
        raise ValueError(
            "`init.num_steps` must be above 0 in `diagnose`, which fits motions to videos, got 0; "
            "leave it out, or begin the distillation without them by init.start=neutral."
        )
