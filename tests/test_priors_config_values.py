"""Values of wrong kinds in configuration files are told by file, key, rule and value."""

import json
import math
import shutil
from pathlib import Path
from typing import Any, List  # noqa: UP035

import pytest
import tiny_sdxl
import tiny_stable_diffusion
import tiny_wan
from tiny_families import TINY

from motiondistill.priors.config_values import check_statistics, check_value, check_values
from motiondistill.priors.families import known
from motiondistill.priors.loading import family_of, load_prior
from motiondistill.priors.published import PUBLISHED
from motiondistill.priors.weights import Part, check_parts

FILE = Path("somewhere/config.json")
SCHEDULER, INDEX = "scheduler/scheduler_config.json", "model_index.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Tiny pipelines by name, not to be changed."""
    modules = {"sd": tiny_stable_diffusion, "wan": tiny_wan, "sdxl": tiny_sdxl}
    folder = tmp_path_factory.mktemp("priors")
    return {name: module.save_tiny(folder / name) for name, module in modules.items()}


@pytest.mark.parametrize(
    ("family", "file", "change", "rule"),
    [
        ("sd", SCHEDULER, {"beta_start": "0.1"}, "a number"),
        ("sd", SCHEDULER, {"num_train_timesteps": "1000"}, "a number"),
        ("sd", SCHEDULER, {"prediction_type": 3}, "text"),
        ("sd", SCHEDULER, {"rescale_betas_zero_snr": "false"}, "true or false"),
        ("sd", SCHEDULER, {"_class_name": 7}, "text"),
        ("sd", SCHEDULER, {"_class_name": ["DDIMScheduler"]}, "text"),
        ("wan", SCHEDULER, {"flow_shift": "3"}, "a number"),
        ("wan", INDEX, {"boundary_ratio": "0.875"}, "a number"),
        ("wan", INDEX, {"boundary_ratio": [0.875]}, "a number"),
        ("wan", INDEX, {"expand_timesteps": "false"}, "true or false"),
        ("sdxl", INDEX, {"force_zeros_for_empty_prompt": "no"}, "true or false"),
        ("sd", "vae/config.json", {"scaling_factor": "0.18"}, "a number"),
        ("sd", "vae/config.json", {"scaling_factor": 0}, "a number above 0"),
        ("sd", "vae/config.json", {"scaling_factor": None}, "a number above 0"),
        ("sd", "vae/config.json", {"scaling_factor": [0.18]}, "a number above 0"),
        ("sd", "unet/config.json", {"cross_attention_dim": "16"}, "a number"),
        ("sd", "unet/config.json", {"act_fn": 3}, "text"),
        ("wan", "transformer/config.json", {"qk_norm": 1}, "null or text"),
        ("sd", "text_encoder/config.json", {"hidden_size": "32"}, "a number"),
        ("sd", "text_encoder/config.json", {"num_hidden_layers": None}, "a number"),
    ],
)
def test_wrong_kinds_are_told_in_one_line(whole, tmp_path, family, file, change, rule):
    folder = shutil.copytree(whole[family], tmp_path / "copy")
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    ((name, value),) = change.items()
    with pytest.raises(ValueError) as told:
        load_prior(folder)
    expected = f"`{name}` in `{path}` must be {rule}, got {value!r}; copy the file anew."
    assert str(told.value) == expected


@pytest.mark.parametrize("stored", [["UNet2DConditionModel"], 3])
def test_a_class_that_is_no_name_is_told(whole, tmp_path, stored):
    folder = shutil.copytree(whole["sd"], tmp_path / "copy")
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_class_name": stored}))
    with pytest.raises(
        ValueError, match=r"unet` must hold diffusers.UNet2D.*, got .*; use the fol"
    ):
        load_prior(folder)


def test_an_optional_part_of_no_class_is_looked_for(whole, tmp_path):
    folder = shutil.copytree(whole["wan"], tmp_path / "copy")
    path = folder / INDEX
    path.write_text(json.dumps(json.loads(path.read_text()) | {"transformer_2": 3}))
    with pytest.raises(FileNotFoundError, match=r"transformer_2/config.json` is missing"):
        load_prior(folder)


@pytest.mark.parametrize(
    ("file", "change", "rule"),
    [
        ("unet/config.json", {"down_block_types": ["x", 2]}, "text, got 2"),
        ("vae/config.json", {"block_out_channels": [8, "16"]}, "a number, got '16'"),
    ],
)
def test_items_of_lists_are_told(whole, tmp_path, file, change, rule):
    folder = shutil.copytree(whole["sd"], tmp_path / "copy")
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (name,) = change
    with pytest.raises(ValueError, match=rf"every item of `{name}` in `.*` must be {rule}; copy"):
        load_prior(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"z_dim": 2, "latents_mean": [0.0]}, "`latents_mean` .* for each of 2 channels, got"),
        ({"latent_channels": 1, "latents_std": 1.0}, "`latents_std` .* each of 1 channels, got 1"),
        (
            {"z_dim": 2, "latents_std": [1.0, 0.0]},
            "every item of `latents_std` .* a number above 0, got 0.0",
        ),
        ({"latents_std": [1.0, None]}, "every item of `latents_std` .* above 0, got None"),
        ({"latents_mean": [[0.0]]}, r"every item of `latents_mean` .* a number, got \[0.0\]"),
        ({"latents_mean": [math.nan]}, "every item of `latents_mean` .* a number, got nan"),
        ({"scaling_factor": -1.0}, "`scaling_factor` .* a number above 0, got -1.0"),
        ({"scaling_factor": math.inf}, "`scaling_factor` .* a number above 0, got inf"),
    ],
)
def test_latents_that_cannot_be_normalised_are_told(config, message):
    with pytest.raises(ValueError, match=message):
        check_statistics(FILE, config)
    check_statistics(FILE, {"z_dim": 2, "latents_mean": [0, 0.5], "latents_std": [1, 2.5]})
    check_statistics(FILE, {"scaling_factor": 0.13, "latents_mean": None})


@pytest.mark.parametrize("tiny", TINY, ids=lambda module: module.__name__)
def test_what_the_libraries_write_is_accepted(tiny, tmp_path):
    folder = tiny.save_tiny(tmp_path / "tiny")
    check_parts(folder, family_of(folder))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations_are_accepted(name):
    family, _ = known(name)
    for part, config in PUBLISHED[name].parts.items():
        kind = Part(Path(part), family.classes[part]).kind
        check_values(FILE, config, getattr(kind, "config_class", kind))


def test_what_released_files_hold_against_annotations_is_accepted():
    """Null for a flag and lists for a number stand in SDXL's own UNet."""
    import diffusers

    odd = {
        "upcast_attention": None,
        "attention_head_dim": [5, 10, 20],
        "layers_per_block": [2, 2, 2],
        "only_cross_attention": [False, True],
        "mid_block_scale_factor": 1,
        "of_another_version": {"x": "y"},
    }
    check_values(FILE, odd, diffusers.UNet2DConditionModel)


def test_what_annotations_do_not_tell_is_left_alone():
    for annotation in (Path, dict[str, int], "str", tuple[Path, ...], list | None):
        check_value(FILE, "name", 3, annotation)
        check_value(FILE, "name", "three", annotation)
    bare: Any = List  # noqa: UP006 (the libraries' older classes write it)
    check_value(FILE, "name", [3], bare)
