"""What made-up figures of the study of rare actions say: shares, gains, correlations, verdicts."""

from collections.abc import Callable
from statistics import mean

import pytest
import torch
from long_tail_parts import figures
from long_tail_parts.design import ACTIONS, COUNTS, Model, square
from long_tail_parts.figures import (
    COMMON,
    RARE,
    Cell,
    at_count,
    gain,
    mean_over,
    rank_correlation,
    within_actions,
)
from long_tail_parts.verdict import prediction, verdict

from motiondistill.probing.intervals import t_quantile

Rule = Callable[[Model, str], float]


def cells_of(probe: Rule, sampled: Rule, distilled: Rule) -> list[Cell]:
    """Made-up figures of all models of two seeds."""
    return [
        Cell(
            model,
            action,
            probe(model, action),
            sampled(model, action),
            distilled(model, action),
            distilled(model, action),
        )
        for seed in (0, 1)
        for model in square(seed)
        for action in ACTIONS
    ]


def often(model: Model, action: str) -> float:
    """1 for what was seen 64 times and more."""
    return float(model.count(action) >= 64)


def rarely(model: Model, action: str) -> float:
    return 1 - often(model, action)


def ordered(model: Model, action: str) -> float:
    return 0.5 + model.count(action) / 1000


def by_action(model: Model, action: str) -> float:
    """The one action is easy, whatever the model."""
    return float(action == ACTIONS[0])


def half(model: Model, action: str) -> float:
    return 0.5


def ordered_against_actions(model: Model, action: str) -> float:
    """Within each action the more often the more; the first one less than the others."""
    return ordered(model, action) - (action == ACTIONS[0])


def easier_and_often(model: Model, action: str) -> float:
    """Within each action the more often the more; the first one more than the others."""
    return ordered(model, action) + (action == ACTIONS[0])


def test_rank_correlations_are_spearmans() -> None:
    """By hand, with ties: ranks 1 2.5 2.5 4 and 1 3 2 4, so 4.5 / sqrt(4.5 * 5)."""
    rising = torch.tensor([0.1, 0.5, 0.6, 9.0])
    assert figures.spearman(rising, rising.exp()).item() == pytest.approx(1)
    assert figures.spearman(rising, -rising).item() == pytest.approx(-1)
    tied, other = torch.tensor([0.0, 2.0, 2.0, 7.0]), torch.tensor([1.0, 3.0, 2.0, 4.0])
    assert figures.spearman(tied, other).item() == pytest.approx(4.5 / 22.5**0.5)
    assert figures.spearman(tied, torch.ones(4)).item() == 0


def test_shares_and_gains_have_known_answers() -> None:
    cells = cells_of(ordered, often, often)
    assert [at_count(cells, count, "distilled").value for count in COUNTS] == [0, 0, 0, 1, 1]
    sure = at_count(cells, 256, "distilled")
    assert sure.low == pytest.approx(0.025 ** (1 / 6)) and sure.high == 1, "of six that agree"
    found = gain(cells, "distilled")
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025**0.1), "of ten models that agree"
    assert gain(cells, "probe").value == pytest.approx(0.158), "(64 + 256 - 4) / 2000"
    assert rank_correlation(cells, "count", "probe").value == pytest.approx(1)
    flat = gain(cells_of(half, by_action, by_action), "distilled")
    assert flat.value == pytest.approx(0), "the squares are balanced"
    assert flat.low is not None and flat.high is not None and flat.low < 0 < flat.high


def test_agreement_of_all_is_not_certain_for_others() -> None:
    """Nothing varies, but that of other models might: no interval is without width."""
    n, m = len(COUNTS) * 2, 6  # models, and cells of a count

    def third(model: Model, action: str) -> float:
        return often(model, action) / 3 + 0.1

    for failing in (lambda model, action: 0.0, half, third):
        cells = cells_of(half, failing, failing)
        found, reach = gain(cells, "distilled"), 1 - 0.025 ** (1 / n)
        assert (found.low, found.high) == (
            pytest.approx(found.value - reach),
            pytest.approx(found.value + reach),
        )
    agreed = at_count(cells_of(half, lambda model, action: 0.9, half), 64, "sampled")
    assert agreed.low is not None and agreed.value - agreed.low == pytest.approx(
        2.571 * (0.9 * 0.1 / m) ** 0.5, rel=1e-3
    )
    probed = at_count(cells_of(lambda model, action: 1.0, half, half), 64, "probe")
    assert probed.low == pytest.approx(0.025 ** (1 / m)) and probed.high == 1


def test_a_correlation_with_what_never_varies_has_no_interval() -> None:
    cells = cells_of(ordered, half, half)
    for found in (
        rank_correlation(cells, "probe", "distilled"),
        within_actions(cells, "probe", "distilled"),
    ):
        assert (found.value, found.low, found.high) == (0, None, None)


def test_easy_actions_do_not_correlate_within_actions() -> None:
    cells = cells_of(by_action, by_action, by_action)
    assert rank_correlation(cells, "probe", "distilled").value == pytest.approx(1)
    assert within_actions(cells, "probe", "distilled").value == 0
    assert within_actions(cells_of(ordered, often, often), "probe", "count").value == pytest.approx(
        1
    )


def test_a_gain_lies_between_the_means_of_its_counts() -> None:
    cells = cells_of(ordered, half, by_action)
    for measure in ("probe", "distilled"):
        common, rare = (mean_over(cells, counts, measure) for counts in (COMMON, RARE))
        assert common.value - rare.value == pytest.approx(gain(cells, measure).value)


def test_the_interval_of_a_mean_is_of_the_models_that_have_such_cells() -> None:
    cells = cells_of(ordered, half, often)
    bound = 0.025 ** (1 / 9)  # of five models each, one in the two squares has no such cell
    assert mean_over(cells, RARE, "distilled").low == 0
    assert mean_over(cells, RARE, "distilled").high == pytest.approx(1 - bound)
    own = [cell for cell in cells_of(half, half, by_action) if cell.count in COMMON]
    models = list(dict.fromkeys(cell.model for cell in own))
    without = torch.tensor(
        [mean(cell.distilled for cell in own if cell.model != model) for model in models]
    )
    n = len(models)
    error = ((n - 1) / n * (without - without.mean()).square().sum()).sqrt().item()
    found = mean_over(cells_of(half, half, by_action), COMMON, "distilled")
    assert found.low is not None
    assert found.value - found.low == pytest.approx(t_quantile(n - 1) * error, rel=1e-4)


TRUE, LOST = [True] * 9, [False] * 9


@pytest.mark.parametrize(
    ("sampled", "distilled", "truth", "said"),
    [
        (often, often, TRUE, "is **supported**"),
        (half, often, TRUE, "is **partly supported**"),
        (often, often, LOST, "is **partly supported**"),
        (often, by_action, TRUE, "is **not supported**"),
        (often, rarely, TRUE, "is **contradicted**"),
        (
            often,
            lambda model, action: 0.5 + often(model, action) / 2,
            TRUE,
            "of rare 0.50 (0.16 to",
        ),
        (often, lambda model, action: often(model, action) * 0.4, TRUE, "common ones is 0.40 ("),
        (
            lambda model, action: often(model, action) * 0.4,
            often,
            TRUE,
            "in 18 of the 18 cells whose distillation fails, and in 12 of the 12 whose "
            "distillation succeeds: they do not tell the two apart.",
        ),
    ],
)
def test_the_verdict_follows_from_the_figures(
    sampled: Rule, distilled: Rule, truth: list[bool], said: str
) -> None:
    assert said in verdict(cells_of(ordered, sampled, distilled), truth)


def test_reasons_for_doubt_are_told() -> None:
    assert "samples do not show the difference" in verdict(cells_of(ordered, half, often), TRUE)
    assert "only 0 of 18 cells" in verdict(cells_of(ordered, half, often), TRUE)
    assert "true clips are lost by the fit" in verdict(cells_of(ordered, often, often), LOST)
    said = verdict(cells_of(ordered, often, often), TRUE)
    assert "in 18 of the 18 cells whose distillation fails, and in 0 of the 12 whose" in said
    assert "+1.00 (+0.69 to +1.00) for distilled motions" in said
    assert "tell the two apart" not in said
    assert "do not tell the two apart" in verdict(cells_of(ordered, half, often), TRUE)


def test_where_no_cell_fails_or_none_succeeds_samples_are_no_witness() -> None:
    def always(model: Model, action: str) -> float:
        return 0.5 + often(model, action) / 2

    def never(model: Model, action: str) -> float:
        return often(model, action) * 0.4

    assert "No cell's distillation fails." in verdict(cells_of(ordered, often, always), TRUE)
    said = verdict(cells_of(ordered, half, never), TRUE)
    assert "in 0 of the 30 cells whose distillation fails; it succeeds in none." in said


@pytest.mark.parametrize(
    ("probe", "distilled", "said"),
    [
        (ordered, often, "**tells**"),
        (ordered, often, "Among the 12 cells of 64 or 256 clips alone it is 0.00."),
        (ordered, ordered, "clips alone it is 1.00."),
        (by_action, by_action, "**only across actions**"),
        (half, often, "**cannot be asked**"),
        (ordered, half, "**cannot be asked**"),
        (ordered, rarely, "**does not tell**"),
        (ordered_against_actions, easier_and_often, "**not across actions**"),
    ],
)
def test_the_probe_tells_or_does_not(probe: Rule, distilled: Rule, said: str) -> None:
    assert said in prediction(cells_of(probe, half, distilled))
