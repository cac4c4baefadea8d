"""The one training of the codecs that are compared."""

from typing import Any

from embedded_training.codec import Rebuilding
from embedded_training.loop import Draw, Recipe, Training, average_of, make_accelerator, updates
from rich.console import Console

from motiondistill.bookkeeping.progress import make_reporter


def start(codec: Any, recipe: Recipe) -> Training:
    """A training of the codec that has taken no step."""
    return Training(Rebuilding(codec), recipe, make_accelerator("cpu"))


def train(codec: Any, draw: Draw, recipe: Recipe) -> Any:
    """The averaged codec after all steps, frozen."""
    training = start(codec, recipe)
    with make_reporter(Console(), recipe.steps) as report:
        for update in updates(training, draw):
            report(update.step, f"codec: loss {update.loss:.5f}")
    return average_of(training).codec
