"""Every independent group is tested once, by a network that never saw it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from recogniser.clips import OTHER, Recording, window_at
from recogniser.training import bank_of, train

from motiondistill.data.joints import JOINTS_FPS
from motiondistill.metrics.recogniser import ACTIONS, Recogniser

UNKNOWN = "c8"  # whose subjects may be any of the others'
# Groups share a fold where no class loses two of them at once, unless it has as many as this.
_MANY = 6
MIN_GROUPS = 3
_RESAMPLES = 2000


@dataclass(frozen=True)
class Prediction:
    """What one window was recognised as."""

    action: str
    clip: str
    group: str
    ranked: tuple[str, ...]
    """All actions, the most likely first."""
    odd: bool = False
    """Whether its clip is of its class by name only; it counts all the same."""

    @property
    def right(self) -> bool:
        """Whether the most likely action is the true one."""
        return self.ranked[0] == self.action


def folds_of(recordings: Sequence[Recording]) -> list[list[str]]:
    """The groups that are tested together."""
    shown: dict[str, set[str]] = defaultdict(set)
    for one in recordings:
        if one.group != UNKNOWN and one.action != OTHER:
            shown[one.group].add(one.action)
    counts = Counter(action for actions in shown.values() for action in actions)
    folds: list[list[str]] = []
    for group in sorted(shown, key=lambda name: (-len(shown[name]), name)):
        scarce = {action for action in shown[group] if counts[action] < _MANY}
        free = (fold for fold in folds if not any(scarce & shown[other] for other in fold))
        fold = next(free, None)
        if fold is None:
            folds.append([group])
        else:
            fold.append(group)
    return folds


def cross_validate(
    real: Sequence[Recording], parametric: Sequence[Recording], seed: int, steps: int
) -> Iterator[list[Prediction]]:
    """The predictions of each fold. Clips of unknown subjects neither teach nor test."""
    for fold in folds_of(real):
        kept = [one for one in real if one.group not in (*fold, UNKNOWN)]
        recogniser = Recogniser(train(bank_of([*kept, *parametric]), seed, steps))
        tested = [one for one in real if one.group in fold and one.action != OTHER]
        yield [guess for one in tested for guess in predictions(recogniser, one)]


def predictions(recogniser: Recogniser, recording: Recording) -> list[Prediction]:
    """One for each window of a recording."""
    windows = torch.stack([window_at(recording.joints, start) for start in recording.starts])
    order = recogniser(windows, JOINTS_FPS).argsort(-1, descending=True).tolist()
    return [
        Prediction(
            recording.action,
            recording.name,
            recording.group,
            tuple(ACTIONS[i] for i in ranks),
            recording.odd,
        )
        for ranks in order
    ]


def barred_actions(found: Sequence[Prediction]) -> list[str]:
    """Actions that at least three independent groups show."""
    groups: dict[str, set[str]] = defaultdict(set)
    for one in found:
        groups[one.action].add(one.group)
    return [action for action in ACTIONS if len(groups[action]) >= MIN_GROUPS]


def recall(found: Sequence[Prediction], action: str, top: int = 1) -> float:
    """Share of the action's windows that have it among the `top` most likely actions."""
    mine = [action in one.ranked[:top] for one in found if one.action == action]
    return sum(mine) / len(mine)


def balanced_accuracy(found: Sequence[Prediction], actions: Sequence[str], top: int = 1) -> float:
    """Mean over actions of their recall."""
    return sum(recall(found, action, top) for action in actions) / len(actions)


def interval(
    found: Sequence[Prediction], actions: Sequence[str], generator: torch.Generator, top: int = 1
) -> tuple[float, float]:
    """95 % bootstrap interval of the balanced accuracy, by clip.

    In each resample every action draws as many clips as it has, with all their windows.
    """
    means = torch.zeros(_RESAMPLES)
    for action in actions:
        clips: dict[str, list[bool]] = defaultdict(list)
        for one in found:
            if one.action == action:
                clips[one.clip].append(action in one.ranked[:top])
        right = torch.tensor([float(sum(windows)) for windows in clips.values()])
        count = torch.tensor([float(len(windows)) for windows in clips.values()])
        drawn = torch.randint(len(clips), (_RESAMPLES, len(clips)), generator=generator)
        means += right[drawn].sum(1) / count[drawn].sum(1) / len(actions)
    low, high = means.quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high
