"""The noise algebra against itself, scheduler objects and the pipeline's formulas."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motiondistill.priors.schedule import (
    DynamicShift,
    FlowSchedule,
    flow_schedule,
    flow_time_from_sigma,
    linear_quadratic_times,
    scheduler_times,
    shift_time,
    sigma_from_flow_time,
    x0_from_eps,
    x0_from_flow,
    x0_from_v,
)

EXACT = 1e-10  # float64, a handful of operations on numbers of order one, divided by a >= 0.01
EULER = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
SINGLE = 1e-5  # float32 against the float32 arithmetic of a scheduler

SHAPES = st.sampled_from([(2,), (1, 3), (2, 1, 3)])
TIMES = st.floats(0.01, 0.99)


def clean_and_noise(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


@given(SHAPES, TIMES)
def test_every_prediction_gives_back_the_clean_sample(shape, time):
    clean, noise = clean_and_noise(shape)
    s, a = torch.tensor([time, 1 - time], dtype=torch.float64)
    scaled = a * clean + s * noise
    assert (x0_from_eps(scaled, noise, a, s) - clean).abs().max() < EXACT
    assert (x0_from_flow(scaled, noise - clean, s) - clean).abs().max() < EXACT
    a = (1 - s**2).sqrt()
    scaled = a * clean + s * noise
    assert (x0_from_v(scaled, a * noise - s * clean, a, s) - clean).abs().max() < EXACT


@given(TIMES, st.floats(0.2, 8.0))
def test_shift_multiplies_sigma(time, shift):
    time = torch.tensor([time], dtype=torch.float64)
    moved = sigma_from_flow_time(shift_time(time, shift))
    assert torch.allclose(moved, shift * sigma_from_flow_time(time), rtol=EXACT)
    assert torch.allclose(flow_time_from_sigma(sigma_from_flow_time(time)), time, rtol=EXACT)


@given(st.floats(0.0, 1e6))
def test_snapped_levels_are_finite_and_stay_put(sigma):
    schedule = FlowSchedule()
    once = schedule.snap(torch.tensor([sigma]))
    assert torch.equal(schedule.snap(once), once)
    assert 0 < once <= schedule.sigma_max < math.inf
    inside = schedule.min_time < sigma < schedule.sigma_max
    assert not inside or sigma < 0.0011 or once.item() == pytest.approx(sigma)
    assert 1 - 1e-3 <= schedule.time(once).item() <= 999 + 1e-3


@given(TIMES)
def test_clean_estimate_is_linear_flow_algebra(time):
    schedule = FlowSchedule()
    clean, noise = clean_and_noise((2, 3, 1, 2, 2))
    sigma = sigma_from_flow_time(torch.full((2,), time, dtype=torch.float64))
    x_sigma = clean + sigma.view(-1, 1, 1, 1, 1) * noise
    scaled = schedule.scale(sigma).view(-1, 1, 1, 1, 1) * x_sigma
    assert (schedule.clean(scaled, noise - clean, sigma) - clean).abs().max() < EXACT


def test_clean_estimate_agrees_with_the_scheduler():
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler()
    schedule = flow_schedule({**scheduler.config, **EULER})
    scaled, output = clean_and_noise((2, 3, 1, 2, 2)).float()
    for time in (0.05, 0.5, 0.95):
        scheduler.set_timesteps(sigmas=[time])  # one step, from `time` to zero: the clean estimate
        expected = scheduler.step(output, scheduler.timesteps[0], scaled, return_dict=False)[0]
        sigma = sigma_from_flow_time(torch.full((2,), time))
        assert (schedule.clean(scaled, output, sigma) - expected).abs().max() < SINGLE
        assert schedule.time(sigma)[0].item() == pytest.approx(scheduler.timesteps[0].item())


@pytest.mark.parametrize(
    "options",
    [
        {"shift": 3.0},
        {"use_dynamic_shifting": True, "base_shift": 0.95, "max_shift": 2.05},
        {"use_dynamic_shifting": True, "base_image_seq_len": 1024, "shift_terminal": 0.1},
    ],
)
def test_sampling_levels_are_the_pipelines(options):
    import numpy as np
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.ltx.pipeline_ltx import calculate_shift

    scheduler = FlowMatchEulerDiscreteScheduler(**options)
    config, steps, tokens = scheduler.config, 7, 320
    mu = calculate_shift(
        tokens,
        config.base_image_seq_len,
        config.max_image_seq_len,
        config.base_shift,
        config.max_shift,
    )
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    schedule = flow_schedule({**config, **EULER})
    ours = flow_time_from_sigma(schedule.sampling_sigmas(steps, tokens))
    expected = scheduler.sigmas.clamp(max=FlowSchedule().max_time)
    assert (ours - expected).abs().max() < SINGLE
    assert ours[-1] == 0


def test_levels_fall_from_sigma_max_to_zero():
    schedule = FlowSchedule(shift=DynamicShift(0.5, 1.15, 256, 4096), terminal=0.1)
    sigmas = schedule.sampling_sigmas(12, 320)
    assert sigmas[0] == pytest.approx(schedule.sigma_max)
    assert (sigmas[:-1] > sigmas[1:]).all()
    assert len(schedule.sampling_sigmas(1, 320)) == 2
    with pytest.raises(ValueError, match=r"`num_steps` must be at least 1, got 0"):
        schedule.sampling_sigmas(0, 320)


UNIPC = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0}),
        ("FlowMatchEulerDiscreteScheduler", {}),
        ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0, "shift_terminal": 0.1}),
        ("UniPCMultistepScheduler", {**UNIPC, "flow_shift": 5.0}),
        ("UniPCMultistepScheduler", UNIPC),
    ],
)
def test_levels_of_a_scheduler_that_is_told_only_the_number_of_steps(name, options):
    import diffusers

    scheduler = getattr(diffusers, name)(**options)
    # As a file holds it; the object itself does not know its class's name.
    config = {**scheduler.config, "_class_name": name}
    schedule = flow_schedule(config, scheduler_times(config))
    scheduler.set_timesteps(7)
    sigmas = schedule.sampling_sigmas(7, 320)
    top = schedule.max_time
    assert (flow_time_from_sigma(sigmas) - scheduler.sigmas.clamp(max=top)).abs().max() < SINGLE
    given = scheduler.timesteps.clamp(max=1000 * top)
    assert schedule.time(sigmas[:-1]).tolist() == pytest.approx(given.tolist(), abs=1e-2)


@given(TIMES)
def test_time_that_runs_towards_data_mirrors_time_and_flow(time):
    schedule, mirrored = FlowSchedule(), FlowSchedule(towards_data=True)
    clean, noise = clean_and_noise((2, 3, 1, 2, 2))
    sigma = sigma_from_flow_time(torch.full((2,), time, dtype=torch.float64))
    scaled = (1 - time) * clean + time * noise
    assert torch.allclose(
        schedule.time(sigma) + mirrored.time(sigma), torch.tensor(1000.0).double()
    )
    assert (mirrored.clean(scaled, clean - noise, sigma) - clean).abs().max() < EXACT
    assert torch.equal(schedule.snap(sigma), mirrored.snap(sigma))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_train_timesteps": 1}, "`num_train_timesteps` must be a whole number from 2 on"),
        ({"shift": 0}, "`shift` must be a number above 0, got 0"),
        ({"shift": None}, "`shift` must be a number above 0, got None"),
        ({"shift_terminal": 1.0}, "`shift_terminal` must be a number above 0 and below 1, got 1.0"),
        (
            {"use_dynamic_shifting": True, "max_image_seq_len": 256},
            "`max_image_seq_len` must be a whole number from 257 on, got 256",
        ),
        ({"use_dynamic_shifting": True, "base_shift": None}, "`base_shift` must be a number, got"),
    ],
    ids=str,
)
def test_values_that_make_no_schedule_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        flow_schedule({**EULER, **change})


@given(st.integers(1, 200))
def test_spacings_start_at_noise_and_fall_but_not_to_zero(steps):
    unipc = {"_class_name": "UniPCMultistepScheduler"}
    euler = {**EULER, "shift": 3.0}
    for times in (scheduler_times(euler), scheduler_times(unipc), linear_quadratic_times):
        values = times(steps)
        assert len(values) == steps
        assert values[0] == 1
        assert (values.diff() < 0).all()
        assert values[-1] > 0


@given(st.floats(1e-3, 999.0))
def test_whole_times_are_the_times_without_decimals(sigma):
    sigma = torch.tensor([sigma])
    exact, whole = FlowSchedule().time(sigma), FlowSchedule(whole_times=True).time(sigma)
    assert whole == whole.round()
    assert -2e-3 <= (exact - whole).item() < 1


@given(st.floats(0.0, 1e6))
def test_levels_snap_to_the_nearest_whole_time(sigma):
    """So that noise is added at the very level that the network is told."""
    schedule = FlowSchedule(whole_times=True)
    for exact in (torch.tensor([sigma]), torch.tensor([sigma], dtype=torch.float64)):
        level = schedule.snap(exact)
        assert torch.equal(schedule.snap(level), level)
        assert 0 < level <= schedule.sigma_max * (1 + 1e-6)
        told = schedule.time(level).double()
        assert told == told.round() and 1 <= told <= 999
        assert level.double().item() == pytest.approx((told / (1000 - told)).item(), rel=1e-6)
        wanted = FlowSchedule().time(FlowSchedule().snap(exact.double()))
        assert (told - wanted).abs() < 0.5 + 1e-3


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"_class_name": "DDIMScheduler"},
        {"_class_name": "DPMSolverMultistepScheduler", "flow_shift": 3.0},
    ],
)
def test_other_schedulers_are_refused(config):
    message = r"`_class_name` must be FlowMatchEuler.*got (None|'D.*'); use the scheduler_config"
    for make in (flow_schedule, scheduler_times):
        with pytest.raises(ValueError, match=message):
            make(config)


def test_unknown_scheduler_options_are_refused():
    with pytest.raises(ValueError, match="`use_karras_sigmas` must be False, got True"):
        flow_schedule({**EULER, "use_karras_sigmas": True})
    with pytest.raises(ValueError, match=r"`time_shift_type`.*'linear'"):
        flow_schedule({**EULER, "time_shift_type": "linear"})
    unipc = {"_class_name": "UniPCMultistepScheduler"}
    with pytest.raises(ValueError, match="`use_flow_sigmas` must be True, got False"):
        flow_schedule({**unipc, "prediction_type": "flow_prediction"})
    with pytest.raises(ValueError, match="`prediction_type` must be 'flow_prediction'"):
        flow_schedule({**unipc, "use_flow_sigmas": True})
