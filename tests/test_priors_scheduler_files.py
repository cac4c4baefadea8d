"""Files of discrete schedulers: what they leave out, and which are refused."""

import pytest
import torch

from motiondistill.priors.vp_schedule import SCHEDULERS, vp_schedule

PRODUCT = 1e-4  # relative: a scheduler's float32 product of a thousand factors
SCALED = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def test_what_old_files_leave_out_is_their_class_s_default():
    plain = {"beta_schedule": "scaled_linear"}
    for name, first in (("EulerDiscreteScheduler", 999), ("PNDMScheduler", 750)):
        schedule = vp_schedule(plain | {"_class_name": name})
        assert schedule.time(schedule.sampling_sigmas(4, 256)[:1]) == first


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of old schedulers against new numpy
@pytest.mark.parametrize("options", [{}, SCALED])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_bare_file_is_what_the_library_takes_it_for(name, options):
    """Levels of every known class, with what the file leaves out."""
    import diffusers

    kind = getattr(diffusers, f"{name}Scheduler")
    try:
        scheduler = kind.from_config(options)
    except ImportError:
        pytest.skip("this scheduler needs a library that is not here")
    schedule = vp_schedule({"_class_name": f"{name}Scheduler", **options})
    products = scheduler.alphas_cumprod.double()
    assert torch.allclose(schedule.alphas_cumprod, products, rtol=PRODUCT, atol=0)


def test_a_class_whose_library_is_missing_tells_no_defaults(monkeypatch):
    import diffusers
    from diffusers.utils import dummy_torch_and_torchsde_objects as missing

    name = "DPMSolverSDEScheduler"
    monkeypatch.setattr(diffusers, name, getattr(missing, name))
    told = {"_class_name": name, "beta_schedule": "linear", "beta_end": 0.012}
    with pytest.raises(ValueError, match=r"`beta_start` must be a number .*, got None"):
        vp_schedule(told)
    assert vp_schedule(told | {"beta_start": 0.00085}).sigma_max > 0


@pytest.mark.parametrize(
    "name",
    [
        "FlowMatchEulerDiscreteScheduler",
        "EDMEulerScheduler",
        "LCMScheduler",
        "TCDScheduler",
        "CMStochasticIterativeScheduler",
        "IPNDMScheduler",
        "ScoreSdeVeScheduler",
        "DDPMWuerstchenScheduler",
        "MysteryScheduler",
        "DDIM",
    ],
)
def test_schedulers_with_a_way_of_their_own_are_refused(name):
    with pytest.raises(
        ValueError, match=rf"`_class_name` must be one of DDPM, .* got '{name}'; ch"
    ):
        vp_schedule({"_class_name": name, "beta_schedule": "linear"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_sample": True}, r"`clip_sample` must be false.*got True"),
        ({"thresholding": True}, r"`thresholding` must be false.*got True"),
        ({"beta_schedule": "sigmoid"}, "`beta_schedule` must be 'linear', .*got 'sigmoid'"),
        ({"beta_schedule": None}, "`beta_schedule` must be 'linear', .*got None"),
        ({"use_karras_sigmas": True}, "`use_karras_sigmas` must be false.*got True"),
        ({"use_flow_sigmas": True}, "`use_flow_sigmas` must be false.*got True"),
        ({"prediction_type": "flow"}, "`prediction_type` must be 'epsilon', .*got 'flow'"),
        ({"timestep_spacing": "even"}, "`timestep_spacing` must be 'leading', .*got 'even'"),
        ({"timestep_type": "continuous"}, "`timestep_type` must be 'discrete', got 'continuous'"),
        ({"num_train_timesteps": 1}, "`num_train_timesteps` must be a whole number from 2 on.*1;"),
        ({"num_train_timesteps": 10.0}, "`num_train_timesteps` must be a whole .*got 10.0"),
        ({"num_train_timesteps": None}, "`num_train_timesteps` must be a whole .*got None"),
        ({"beta_start": 0}, "`beta_start` must be a number above 0 and below 1, got 0"),
        ({"beta_end": 1.5}, "`beta_end` must be a number above 0 and below 1, got 1.5"),
        ({"beta_end": True}, "`beta_end` must be a number above 0 and below 1, got True"),
        ({"steps_offset": -1}, "`steps_offset` must be a whole number from 0 on, got -1"),
        ({"snr_shift_scale": 0.0}, "`snr_shift_scale` must be a number above 0, got 0.0"),
        ({"trained_betas": "x"}, "`trained_betas` must be null or a list of numbers, got 'x'"),
        ({"trained_betas": [0.1, 2.0]}, "`trained_betas` must be a number above 0 .*got 2.0"),
    ],
)
def test_unknown_scheduler_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vp_schedule({"beta_schedule": "linear", "timestep_spacing": "leading"} | options)
