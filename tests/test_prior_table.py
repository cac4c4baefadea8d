"""The table of priors, by files and by published configurations; and outlines of both kinds."""

import diffusers
import pytest
import tiny_latte
import torch
from huggingface_hub import constants
from test_priors_hub import fill
from tiny_families import TINY

from motiondistill.checkup.prior_table import rows, rules
from motiondistill.cli import main
from motiondistill.priors.base import VideoFormat
from motiondistill.priors.costs import count_parameters, empty_network
from motiondistill.priors.families import FAMILIES
from motiondistill.priors.loading import family_of, load_components, load_prior
from motiondistill.priors.outline import outline, published_outline
from motiondistill.priors.published import PUBLISHED
from motiondistill.priors.published_parts import DEEPFLOYD_L, DEEPFLOYD_M, deepfloyd
from motiondistill.schema.prior import PriorConfig


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    """An empty cache is all there is of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_latte.save_tiny(tmp_path_factory.mktemp("priors") / "a tiny one")


@pytest.mark.slow
def test_every_checkpoint_is_listed_with_what_is_known_of_it(capsys):
    assert main(["priors"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for family in FAMILIES:
        for checkpoint in family.checkpoints:
            line = lines[checkpoint.name]
            for words in (checkpoint.hub_id, checkpoint.licence, rules(checkpoint.native)):
                assert words in line
            assert "not downloaded" in line
            assert (" B " in line or " M " in line) and "* " in line
            assert ("(gated)" in line) == checkpoint.gated
            assert ("guidance-distilled" in line) == family.guidance_distilled
        for recipe in family.recipes:
            assert recipe.how in lines[recipe.name] and "to be made" in lines[recipe.name]
    assert " here " in lines["embedded"] and "16x64x64 at 8/s" in lines["embedded"]
    assert " 64x64 " in lines["embedded-image"]
    for name in ("embedded", "embedded-image"):
        assert "0.0 + " in lines[name] and "*" not in lines[name]


def test_what_is_here_is_measured_as_configured(tmp_path, whole):
    fill(tmp_path / "hub", whole, "maxin-cn/Latte-1")
    parameters = sum(
        weight.numel() for weight in load_prior(whole).denoiser.transformer.parameters()
    )
    configs = PriorConfig(), PriorConfig(dtype="bfloat16")
    plain, half = (next(row for row in rows(config) if row.name == "latte") for config in configs)
    assert plain.parameters == parameters
    assert plain.native.frames == 16 and plain.native.size_step == 16
    assert plain.weights - half.weights == 2 * parameters
    assert plain.encoding == half.encoding > 0


def test_damaged_files_are_told_in_the_table(tmp_path, whole):
    snapshot = fill(tmp_path / "hub", whole, "maxin-cn/Latte-1")
    (snapshot / "vae" / "config.json").unlink()
    (snapshot / "vae" / "config.json").write_text("{")
    row = next(row for row in rows(PriorConfig()) if row.name == "latte")
    assert row.encoding is None and row.state.startswith("damaged: `")


@pytest.mark.parametrize("tiny", TINY, ids=lambda module: module.__name__)
def test_outlines_have_the_rules_and_the_sizes_of_the_loaded_prior(tiny, tmp_path):
    folder = tiny.save_tiny(tmp_path / "tiny")
    sketch, loaded = outline(folder), load_prior(folder)
    assert sketch.prior.format == loaded.format
    assert sketch.prior.sigma_max == loaded.sigma_max
    components = load_components(folder, family_of(folder))
    for name, count in sketch.parameters.items():
        assert count == sum(weight.numel() for weight in components[name].parameters()), name


def test_rules_are_told_in_few_words():
    def native(*rule, **others):
        return VideoFormat(8.0, 9, 64, 64, *rule, **others)

    assert rules(native(4, 1, 16)) == "4k+1 frames, sides 16k"
    assert rules(native(8, 0, 8)) == "8k frames, sides 8k"
    assert rules(native(1, 0, 1)) == "any frames, any sides"
    assert rules(native(0, 16, 16)) == "16 frames, sides 16k"
    assert rules(native(1, 0, 8, max_frames=32)) == "any frames to 32, sides 8k"


def test_everything_that_has_a_name_is_published():
    named = {known.name for family in FAMILIES for known in (*family.checkpoints, *family.recipes)}
    assert set(PUBLISHED) == named


def denoiser(name):
    return published_outline(name, left_out=["text_encoder"]).prior.denoiser


def test_published_indices_say_how_networks_are_asked():
    """What `model_index.json` holds beside the parts: see each release's own file."""
    assert denoiser("wan2.2-5b").time_per_token
    assert not denoiser("wan2.1-1.3b").time_per_token
    experts = denoiser("wan2.2-a14b")
    assert experts.low_noise is not None and experts.boundary == 875


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("wan2.1-14b", 14.3),
        ("cogvideox-5b", 5.57),
        ("hunyuanvideo", 12.8),
        ("sdxl", 2.57),
        ("deepfloyd-xl", 4.3),
    ],
)
def test_published_sizes_are_those_that_the_makers_tell(name, billions):
    """Billions of parameters, as in the models' names or cards."""
    speech = [part for part in PUBLISHED[name].parts if part.startswith("text")]
    parameters = dict(published_outline(name, left_out=speech).parameters)
    parameters.pop("vae", None)
    (denoiser,) = parameters.values()
    assert denoiser / 1e9 == pytest.approx(billions, rel=5e-3)


def test_only_one_width_of_deepfloyd_has_the_size_that_its_makers_tell():
    """Heads have 64 channels, so widths are multiples of that; the card has one digit."""
    kind = diffusers.UNet2DConditionModel
    sizes = {
        width: round(count_parameters(empty_network(kind, deepfloyd(width), torch.float32)), -8)
        for width in range(64, 449, 64)
    }
    for config, told in ((DEEPFLOYD_M, 4e8), (DEEPFLOYD_L, 9e8)):
        (width,) = (width for width, size in sizes.items() if size == told)
        assert config["block_out_channels"][0] == width
