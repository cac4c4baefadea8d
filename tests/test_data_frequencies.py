from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.data.captions import ACTIONS
from motiondistill.data.frequencies import FULL_SET, RARE_CLIPS, training_counts, training_plan


@given(
    count=st.integers(0, 3 * FULL_SET),
    actions=st.lists(st.sampled_from(ACTIONS), unique=True, max_size=len(ACTIONS)),
)
def test_counts_add_up_and_common_actions_are_alike(count: int, actions: list[str]) -> None:
    actions = ["walk", *(name for name in actions if name != "walk")]
    counts = training_counts(actions, count)
    assert list(counts) == actions
    assert sum(counts.values()) == count
    common = [number for name, number in counts.items() if name not in RARE_CLIPS]
    assert max(common) - min(common) <= 1
    assert min(counts.values()) >= 0


@pytest.mark.parametrize("count", [FULL_SET, FULL_SET + 1, 9 * FULL_SET])
def test_rare_counts_do_not_grow_with_the_set(count: int) -> None:
    counts = training_counts(ACTIONS, count)
    assert {name: counts[name] for name in RARE_CLIPS} == RARE_CLIPS


def test_small_sets_keep_the_proportions() -> None:
    counts = training_counts(ACTIONS, FULL_SET // 4)
    assert {name: 4 * counts[name] for name in RARE_CLIPS} == RARE_CLIPS
    assert len(set(ACTIONS) - set(RARE_CLIPS)) >= 13
    assert max(RARE_CLIPS.values()) < (FULL_SET - sum(RARE_CLIPS.values())) / len(ACTIONS)


def test_a_set_without_a_common_action_is_refused() -> None:
    with pytest.raises(ValueError, match="`actions` must hold a common action, got roll"):
        training_counts(["roll"], 10)
    with pytest.raises(ValueError, match="`count` must not be negative, got -1"):
        training_counts(["walk"], -1)


@pytest.mark.parametrize("count", [1, 40, 999, FULL_SET + 7])
def test_plans_keep_the_counts_and_the_sides_by_turns(count: int) -> None:
    plan = training_plan(ACTIONS, count, 3)
    assert len(set(plan)) == len(plan) == count
    counts = Counter(clip.action for clip in plan)
    assert counts == Counter(training_counts(ACTIONS, count))
    for action, number in counts.items():
        left = sum(clip.side == "left" for clip in plan if clip.action == action)
        assert left == (number + 1) // 2


def test_plans_are_mixed_and_belong_to_their_seed() -> None:
    plan = training_plan(ACTIONS, 3000, 0)
    assert set(ACTIONS) - set(RARE_CLIPS) <= {clip.action for clip in plan[:300]}
    training_plan.cache_clear()
    assert training_plan(ACTIONS, 3000, 0) == plan
    assert training_plan(ACTIONS, 3000, 1) != plan
