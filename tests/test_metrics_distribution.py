"""Distances of sets: two known Gaussians, pools with known hits, and sets that are too small."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from motiondistill.metrics.distribution import (
    POOL,
    TooFewError,
    chance_precision,
    diversity,
    fid,
    fid_estimate,
    frechet_distance,
    mm_dist,
    r_precision,
    repeated,
)
from motiondistill.randomness import seeded

ROUNDING = 1e-6  # the root of an eigenvalue that is zero but for 1e-16


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_gaussians_that_share_axes_have_a_closed_form() -> None:
    """`|m1 - m2|^2 + sum (s1 - s2)^2` in the shared axes."""
    axes, _ = torch.linalg.qr(drawn(0, 3, 3))
    one, other = torch.tensor([1.0, 4.0, 9.0]).double(), torch.tensor([4.0, 4.0, 0.0]).double()
    covariances = [(axes * values) @ axes.T for values in (one, other)]
    means = [torch.zeros(3).double(), torch.tensor([1.0, 2.0, 2.0]).double()]
    found = frechet_distance(means[0], covariances[0], means[1], covariances[1])
    assert float(found) == pytest.approx(9 + (1 - 2) ** 2 + 0 + 3**2, abs=ROUNDING)


@given(seed=st.integers(0, 50))
def test_the_trace_is_that_of_the_root_of_the_product(seed: int) -> None:
    roots = [drawn(seed + shift, 4, 4) for shift in (0, 1000)]
    one, other = (root @ root.T for root in roots)
    zero = torch.zeros(4).double()
    # The eigenvalues of a product of two positive matrices are real and positive.
    shared = torch.linalg.eigvals(one @ other).real.clamp(min=0).sqrt().sum()
    expected = one.trace() + other.trace() - 2 * shared
    torch.testing.assert_close(frechet_distance(zero, one, zero, other), expected)
    torch.testing.assert_close(frechet_distance(zero, other, zero, one), expected)
    assert float(frechet_distance(zero, one, zero, one)) == pytest.approx(0, abs=ROUNDING)


def test_fid_of_samples_nears_that_of_their_gaussians() -> None:
    one, other = drawn(0, 20000, 3), 2 * drawn(1, 20000, 3) + 1
    # Means differ by 1, deviations by 1, along each of three axes.
    assert float(fid(one, other)) == pytest.approx(3 + 3, rel=0.03)
    assert float(fid(one, one)) == pytest.approx(0, abs=ROUNDING)
    assert float(fid(one, other)) == pytest.approx(float(fid(other, one)))


def test_fid_is_refused_for_fewer_samples_than_twice_the_features() -> None:
    assert float(fid(drawn(0, 16, 8), drawn(1, 16, 8))) > 0
    for first, second in ((15, 99), (99, 15)):
        with pytest.raises(TooFewError, match="at least 16 samples a set, twice the 8 features"):
            fid(drawn(0, first, 8), drawn(1, second, 8))


def test_the_interval_of_fid_is_wider_where_windows_come_from_few_motions() -> None:
    def interval(windows: int) -> tuple[float, float]:
        """240 rows a set, in motions whose windows are all alike."""
        sets = [
            [row.expand(windows, -1) for row in drawn(seed, 240 // windows, 2)] for seed in (0, 1)
        ]
        return fid_estimate(sets[0], sets[1], seeded(0)).interval

    single, several = interval(1), interval(12)
    assert single[0] >= 0 and several[0] >= 0
    assert several[1] - several[0] > 2 * (single[1] - single[0])


def test_the_interval_of_fid_is_that_of_a_difference_of_means() -> None:
    """Far apart, FID is the squared difference d of means, whose deviation is 2 d sqrt(2 / n)."""
    apart, n = 5.0, 200
    sets = [list((drawn(seed, n, 1) + apart * seed).split(1)) for seed in (0, 1)]
    low, high = fid_estimate(sets[0], sets[1], seeded(0)).interval
    expected = 2 * 1.96 * 2 * apart * math.sqrt(2 / n)
    # The deviation of 50 bootstraps is itself known to a tenth.
    assert high - low == pytest.approx(expected, rel=0.3)


def test_a_few_long_motions_are_no_set() -> None:
    few = list(drawn(0, 100, 2).split(20))
    many = list(drawn(0, 100, 2).split([1, 19, *[10] * 8]))
    assert fid_estimate(many, many, seeded(0)).value == pytest.approx(0, abs=ROUNDING)
    with pytest.raises(TooFewError, match="at least 10 motions a set, got 5, however long"):
        fid_estimate(many, few, seeded(0))


def test_one_feature_has_a_variance() -> None:
    assert float(fid(drawn(0, 50, 1), 3 * drawn(0, 50, 1))) > 1


@given(n=st.integers(POOL, 3 * POOL), seed=st.integers(0, 9))
@settings(max_examples=15)
def test_motions_at_their_texts_are_always_found(n: int, seed: int) -> None:
    texts = drawn(seed, n, 5)
    found = r_precision(texts, texts + 1e-6, torch.arange(n), seeded(seed))
    assert found.tolist() == [1, 1, 1]


def test_motions_that_know_nothing_are_found_by_chance() -> None:
    n = 40 * POOL
    found = r_precision(drawn(0, n, 5), drawn(1, n, 5), torch.arange(n), seeded(0))
    # 1280 draws with the chances 1/32, 2/32, 3/32: three standard deviations.
    for k, value in enumerate(found.tolist(), start=1):
        chance = k / POOL
        assert value == pytest.approx(chance, abs=3 * math.sqrt(chance * (1 - chance) / n))


def test_chance_is_what_motions_that_know_nothing_reach() -> None:
    """Labels of 40, 16 and 8 motions, by 400 random draws of 64 texts each."""
    labels = torch.tensor([0] * 40 + [1] * 16 + [2] * 8)
    found = torch.stack(
        [
            r_precision(drawn(seed, 64, 3), drawn(seed + 1000, 64, 3), labels, seeded(seed))
            for seed in range(400)
        ]
    ).mean(0)
    # 25,600 texts, of which those of one draw depend on each other.
    torch.testing.assert_close(found, chance_precision(labels), atol=0.02, rtol=0)
    # Of texts that are all different, k of 32.
    alone = torch.tensor([1, 2, 3]).double() / POOL
    torch.testing.assert_close(chance_precision(torch.arange(64)), alone)
    assert chance_precision(torch.zeros(64).long()).tolist() == [1, 1, 1]


def test_a_motion_between_two_texts_is_among_the_two_nearest() -> None:
    """Each motion lies at the next text, a little towards its own: top 1 misses, top 2 hits."""
    texts = torch.eye(POOL).double()
    motions = 0.51 * texts.roll(1, 0) + 0.49 * texts
    found = r_precision(texts, motions, torch.arange(POOL), seeded(0))
    assert found.tolist() == [0, 1, 1]


def test_any_motion_of_the_label_is_a_hit() -> None:
    texts = torch.eye(2).double()[torch.arange(2 * POOL) % 2]
    labels = texts.argmax(-1)
    assert r_precision(texts, texts, labels, seeded(0)).tolist() == [1, 1, 1]
    # All motions show the other action.
    assert float(r_precision(texts, 1 - texts, labels, seeded(0))[2]) == 0
    # Where a text's own motion must be met, texts that coincide count against each other.
    alone = r_precision(texts, texts, torch.arange(2 * POOL), seeded(0))
    assert float(alone[0]) < 0.3


def test_a_pool_that_is_not_full_is_refused() -> None:
    with pytest.raises(
        TooFewError,
        match=r"at least 32 motions with prompts of .* got 31",
    ):
        r_precision(drawn(0, 31, 2), drawn(0, 31, 2), torch.arange(31), seeded(0))
    with pytest.raises(TooFewError, match="diversity needs at least 32 motions, got 31"):
        diversity(drawn(0, 31, 2), seeded(0))


def test_mm_dist_is_the_mean_distance_of_pairs() -> None:
    texts = torch.zeros(2, 2)
    assert float(mm_dist(texts, torch.tensor([[3.0, 4.0], [0.0, 1.0]]))) == 3


def test_diversity_of_known_sets() -> None:
    assert float(diversity(torch.ones(40, 3), seeded(0))) == 0
    # Two independent standard normal numbers are 2 / sqrt(pi) apart on average.
    found = repeated(lambda g: diversity(drawn(3, 5000, 1), g), seeded(0))
    assert found[0].value == pytest.approx(2 / math.sqrt(math.pi), rel=0.05)
    low, high = found[0].interval
    assert low < found[0].value < high
    # No row meets itself: at the corners of a simplex all pairs are equally far.
    corners = torch.eye(POOL)
    assert float(diversity(corners, seeded(1))) == pytest.approx(math.sqrt(2))


def test_the_interval_of_repeats_covers_the_mean_of_its_draws() -> None:
    hits = 0
    for seed in range(60):
        (found,) = repeated(lambda g: torch.rand((), generator=g), seeded(seed))
        hits += found.interval[0] <= 0.5 <= found.interval[1]
    # Of 60 intervals of 95 % some 57 hold the truth.
    assert 50 <= hits < 60
