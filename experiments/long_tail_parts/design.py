"""Which model sees which action how often: Latin squares over counts."""

from dataclasses import dataclass
from typing import Final

COUNTS: Final = (0, 4, 16, 64, 256)
"""Distinct clips of an action in a training set."""
ACTIONS: Final = ("squat", "jumping jacks", "raise both arms")
"""Whose counts differ: none has a side, each has a parametric form and is recognised."""
FILLERS: Final = ("stand", "walk", "bow")
"""What fills every set, so that all models know a person and all sets are equally large."""
CLIPS: Final = 512
"""In every set."""


@dataclass(frozen=True)
class Model:
    """A prior to train: a row of a seed's square."""

    seed: int
    row: int
    counts: tuple[int, ...]
    """Of `ACTIONS`."""

    @property
    def name(self) -> str:
        """Seed and row."""
        return f"{self.seed}-{self.row}"

    def count(self, action: str) -> int:
        """Distinct clips of one of `ACTIONS`."""
        return self.counts[ACTIONS.index(action)]


def square(seed: int) -> list[Model]:
    """The five models of a seed: row r shows action a `COUNTS[(r + k a) mod 5]` times.

    Every action has every count once, and no row has a count twice. k = 1 + seed mod 4 goes through
    a complete set of mutually orthogonal squares (Bose 1938), so that another seed puts other
    counts together.
    """
    step = 1 + seed % (len(COUNTS) - 1)
    return [
        Model(
            seed,
            row,
            tuple(COUNTS[(row + step * place) % len(COUNTS)] for place in range(len(ACTIONS))),
        )
        for row in range(len(COUNTS))
    ]
