from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.data.splits import held_out, joined

CLASSES = ("walk", "run", "jump")
ITEMS = st.lists(
    st.tuples(st.integers(0, 6), st.lists(st.sampled_from(CLASSES), min_size=1, unique=True)),
    min_size=1,
    max_size=30,
)


@given(
    keys=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12),
    pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=8),
)
def test_groups_are_the_closure_of_keys_and_pairs(
    keys: list[str], pairs: list[tuple[int, int]]
) -> None:
    pairs = [(a % len(keys), b % len(keys)) for a, b in pairs]
    group = joined(keys, pairs)
    # The oracle: Warshall's algorithm.
    linked = [[one == other for other in keys] for one in keys]
    for a, b in pairs:
        linked[a][b] = linked[b][a] = True
    for via in range(len(keys)):
        for a in range(len(keys)):
            for b in range(len(keys)):
                linked[a][b] |= linked[a][via] and linked[via][b]
    assert [[x == y for y in group] for x in group] == linked


@given(items=ITEMS, share=st.floats(0, 0.9), seed=st.integers(0, 5))
def test_no_group_is_on_both_sides_and_training_keeps_every_class(
    items: list[tuple[int, list[str]]], share: float, seed: int
) -> None:
    groups, classes = [number for number, _ in items], [names for _, names in items]
    sides = held_out(groups, classes, share, seed)
    assert held_out(groups, classes, share, seed) == sides
    by_group = {
        number: {s for g, s in zip(groups, sides, strict=True) if g == number} for number in groups
    }
    assert all(len(found) == 1 for found in by_group.values())
    trained = {
        name
        for side, names in zip(sides, classes, strict=True)
        if side == "train"
        for name in names
    }
    assert trained == {name for names in classes for name in names}
    if share == 0:
        assert set(sides) == {"train"}


@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_met_by_small_groups(seed: int) -> None:
    groups = list(range(100))
    classes = [[CLASSES[number % 2]] for number in groups]
    sides = held_out(groups, classes, 0.2, seed)
    count = Counter(names[0] for side, names in zip(sides, classes, strict=True) if side == "test")
    assert count == {"walk": 10, "run": 10}


def test_a_class_of_large_groups_gives_its_smallest() -> None:
    groups = [0] * 5 + [1] * 3 + [2] * 4
    sides = held_out(groups, [["walk"]] * 12, 0.1, 0)
    assert sides == ["train"] * 5 + ["test"] * 3 + ["train"] * 4
    assert held_out([0] * 5, [["walk"]] * 5, 0.5, 0) == ["train"] * 5
