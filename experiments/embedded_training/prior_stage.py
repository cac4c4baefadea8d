"""The last stage of both priors: text encoder and denoiser are trained, written and shown."""

from collections.abc import Callable, Mapping
from pathlib import Path

from accelerate import Accelerator
from torch import nn

from embedded_training.denoising import Batch, Denoising, validate
from embedded_training.export import Layout
from embedded_training.loop import Draw, Recipe, Training
from embedded_training.stage import Rhythm, run_stage


def train_prior(
    module: Denoising,
    recipe: Recipe,
    accelerator: Accelerator,
    *,
    draw: Draw,
    validation: Mapping[str, Batch],
    layout: Layout,
    show: Callable[[Path, Path, int], None],
    setting: tuple[Path, Rhythm, bool],
) -> bool:
    """Trains, and now and then writes `OUT/pipeline`, shows samples, and validates.

    `show` takes the folder of samples, the pipeline's and the step; `setting` is OUT, the rhythm,
    and whether the denoiser is compiled. Returns whether the training reached its end.
    """
    out, rhythm, compiled = setting
    layout.check(module)
    training = Training(module, recipe, accelerator)
    if compiled:
        module.denoiser.compile()

    def look(step: int, average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Denoising)
        layout.write(out / "pipeline", average)
        show(out / "samples", out / "pipeline", step)
        return validate(average, validation, accelerator.device)

    return run_stage(training, draw, out / "denoiser", rhythm, look)
