"""Which clips are held out for tests: whole subjects or sources, and copies along with them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch

from motiondistill.randomness import seeded

Split = Literal["train", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "test")


@dataclass(frozen=True)
class SplitSettings:
    """Knobs of the split."""

    # What never stands on both sides: whoever moved, or all that comes from one place. Where the
    # subject is not known, the clips of one class of a source count as one.
    by: Literal["subject", "source"] = "subject"
    # The share of each class's clips that is kept for tests, as nearly as whole groups allow.
    held_out: float = 0.2


def joined(keys: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[int]:
    """A group for each item: equal keys are in one group, and so are the two of every pair.

    Groups are numbered by their first item.
    """
    first: dict[str, int] = {}
    group = [first.setdefault(key, place) for place, key in enumerate(keys)]
    for one, other in pairs:
        low, high = sorted((group[one], group[other]))
        group = [low if number == high else number for number in group]
    return group


def held_out(
    groups: Sequence[int], classes: Sequence[Sequence[str]], share: float, seed: int
) -> list[Split]:
    """A side for each item so that no group is on both, `share` of each class at most for tests.

    A class none of whose groups is as small as that gives its smallest one. What a class cannot
    spare is not taken: it always keeps a group for training.
    """
    sizes: dict[int, Counter[str]] = {number: Counter() for number in groups}
    total: Counter[str] = Counter()
    for number, names in zip(groups, classes, strict=True):
        sizes[number].update(names)
        total.update(names)
    taken: Counter[str] = Counter()
    chosen: set[int] = set()

    def left(number: int, name: str) -> int:
        return total[name] - taken[name] - sizes[number][name]

    def take(number: int) -> None:
        chosen.add(number)
        taken.update(sizes[number])

    order = torch.randperm(len(sizes), generator=seeded(seed, 0, "held out")).tolist()
    numbers = [list(sizes)[place] for place in order]
    for number in numbers:
        fits = all(
            taken[name] + count <= share * total[name] and left(number, name) > 0
            for name, count in sizes[number].items()
        )
        if fits and sizes[number]:
            take(number)
    if share > 0:
        for name in total:
            spare = [
                number
                for number in numbers
                if sizes[number][name] and all(left(number, other) > 0 for other in sizes[number])
            ]
            if not taken[name] and spare:
                take(min(spare, key=lambda number: sum(sizes[number].values())))
    return ["test" if number in chosen else "train" for number in groups]
