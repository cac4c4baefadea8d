"""The trainings of the shipped priors: one loop, its data, and whole tiny runs of both scripts."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
import train_embedded_prior
import train_image_prior
from embedded_training import captions, codec, loop, samples, stage
from embedded_training.carry_over import carried_rows, with_vocabulary
from embedded_training.clips import Clips, Plan
from embedded_training.denoising import (
    BANDS,
    Denoising,
    check_length,
    clip_batch,
    latte_velocity,
    random_timesteps,
    tokeniser,
    validate,
    validation_batches,
)
from embedded_training.encoded import Encoded, encode
from embedded_training.export import Layout
from embedded_training.looks import random_look
from embedded_training.networks import (
    SCHEDULER,
    build_codec,
    build_denoiser,
    build_text_encoder,
    seeded_weights,
)
from embedded_training.shards import stored
from torch import Tensor, nn

from motiondistill.body.skinning import SkinnedBody
from motiondistill.checkpoints import load_newest
from motiondistill.data.captions import canonical_caption, trained_captions
from motiondistill.priors import VideoFormat, load_prior, sample
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.appearance import PartColours, part_palette
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene
from motiondistill.structures import PART_NAMES

RECIPE = loop.Recipe(steps=6, batch=2, rate=1e-2, seed=3, warm_up=2)
TOKENS = 20
# Sums of float32 over a few thousand numbers of size 1.
ROUNDING = 2e-4


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_t5_tokenizer(captions.vocabulary(), 1024, TOKENS)


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    """Random latents of four clips."""
    labels = (("walk", "right"), ("wave", "left"), ("bow", "right"), ("walk", "left"))
    return Encoded(torch.randn(4, 4, 3, 8, 8, generator=seeded(0)), labels, (0, 3, 5, 7))


def tiny_denoising(tokenizer: Any) -> Denoising:
    """Text encoder and denoiser with the weights of seed 0."""
    text = seeded_weights(0, build_text_encoder, len(tokenizer))
    return Denoising(text, seeded_weights(0, build_denoiser, 3, 32, 16, 1), latte_velocity)


def equal(first: Any, second: Any) -> bool:
    """Whether two states hold the same values, tensors bit for bit."""
    match first:
        case Tensor():
            return torch.equal(first, second)
        case Mapping():
            return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
        case list() | tuple():
            return len(first) == len(second) and all(map(equal, first, second))
        case _:
            return bool(first == second)


@pytest.fixture
def run(tokenizer: Any, encoded: Encoded) -> Callable[..., tuple[bool, Any]]:
    """Goes on with a tiny training in a folder; whether it ended, and its state."""
    torch.use_deterministic_algorithms(True)
    tokenise = tokeniser(tokenizer, TOKENS)

    def go_on(folder: Path, stop_at: int | None = None) -> tuple[bool, Any]:
        accelerator = loop.make_accelerator("cpu")
        training = loop.Training(tiny_denoising(tokenizer), RECIPE, accelerator)

        def draw(generator: torch.Generator) -> Mapping[str, Tensor]:
            if training.step + 1 == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return clip_batch(encoded, RECIPE.batch, tokenise, generator)

        rhythm = stage.Rhythm(save_steps=2, look_steps=100)
        ended = stage.run_stage(training, draw, folder, rhythm, lambda *_: {"seen": 1.0})
        return ended, training.state()

    yield go_on
    torch.use_deterministic_algorithms(False)


def test_a_training_that_was_stopped_goes_on_bit_for_bit(
    run: Callable[..., tuple[bool, Any]], tmp_path: Path
) -> None:
    ended, whole = run(tmp_path / "whole")
    assert ended and whole["step"] == 6
    ended, half = run(tmp_path / "parts", stop_at=3)
    assert not ended and half["step"] == 3
    assert not equal(half["module"], whole["module"])
    ended, parts = run(tmp_path / "parts")
    assert ended and equal(parts, whole)
    lines = (tmp_path / "parts" / "figures.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert json.loads(lines[-1])["seen"] == 1.0
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "figures.jsonl").open()]
        for name in ("parts", "whole")
    ]
    assert losses[0] == losses[1]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    run: Callable[..., tuple[bool, Any]], tmp_path: Path
) -> None:
    _, whole = run(tmp_path)
    kept = sorted((tmp_path / stage.CHECKPOINTS).iterdir())
    assert [path.stem for path in kept] == ["step_00000004", "step_00000006"]
    kept[1].write_bytes(kept[1].read_bytes()[:-7])
    assert load_newest(tmp_path / stage.CHECKPOINTS)["step"] == 4
    ended, again = run(tmp_path)
    assert ended and equal(again, whole)


def test_another_recipe_is_refused(
    run: Callable[..., tuple[bool, Any]], tokenizer: Any, tmp_path: Path
) -> None:
    _, state = run(tmp_path)
    other = loop.Recipe(steps=6, batch=2, rate=2e-2, seed=3, warm_up=2)
    training = loop.Training(tiny_denoising(tokenizer), other, loop.make_accelerator("cpu"))
    with pytest.raises(ValueError, match=r"`rate` must be 0\.01 as this training began, got 0\.02"):
        training.restore(state)


def test_a_loss_without_size_ends_the_training() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return x / 0 * self.weight

    training = loop.Training(Broken(), RECIPE, loop.make_accelerator("cpu"))
    with pytest.raises(FloatingPointError, match=r"the loss of step 0 is inf \(seed 3\)"):
        list(loop.updates(training, lambda _: {"x": torch.ones(2)}))


def test_the_rate_warms_up_and_falls_to_a_fiftieth() -> None:
    recipe = loop.Recipe(steps=1000, batch=1, rate=1.0, seed=0)
    rates = [loop.rate_at(recipe, step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(rates[99], rel=1e-2)
    assert rates[1000] == pytest.approx(0.02)
    assert rates[500] == pytest.approx(0.51)


def test_the_loss_is_that_of_the_schedulers_velocity(encoded: Encoded) -> None:
    """Nothing for who knows the answer; else the mean square of what is wrong."""
    latents, noise = encoded.latents, torch.randn(encoded.latents.shape, generator=seeded(1))
    timestep = torch.tensor([0, 10, 500, 999])
    ids = torch.zeros(4, TOKENS, dtype=torch.long)
    right = SCHEDULER.get_velocity(latents, noise, timestep)
    noisy = SCHEDULER.add_noise(latents, noise, timestep)
    seen = []

    def answer(_: Any, __: Any, given: Tensor, *___: Tensor) -> Tensor:
        seen.append(given)
        return right + torch.tensor([0.0, 1.0, 2.0, 3.0]).view(-1, 1, 1, 1, 1)

    loss = Denoising(nn.Identity(), nn.Identity(), answer)(latents, noise, timestep, ids, ids)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 4.0, 9.0]))
    torch.testing.assert_close(seen[0], noisy)


def test_a_tenth_of_the_timesteps_is_low() -> None:
    drawn = random_timesteps(20_000, seeded(0))
    assert drawn.min() >= 0 and drawn.max() == 999
    # Three standard deviations of a share of 20,000 draws.
    assert (drawn < 250).float().mean().item() == pytest.approx(0.1, abs=0.0064)
    assert (drawn >= 625).float().mean().item() == pytest.approx(0.45, abs=0.011)


def test_captions_say_less_now_and_then() -> None:
    label, view, count = ("wave", "left"), 2, 4000
    drawn = [captions.training_caption(label, view, seeded(0, i)) for i in range(count)]
    canonical, words = canonical_caption(*label), VIEW_NAMES[view]
    bare = [text.removesuffix(f", {words}") for text in drawn]

    def share(condition: Callable[[int], bool]) -> float:
        return sum(map(condition, range(count))) / count

    three_deviations = 0.015
    assert share(lambda i: drawn[i] == "") == pytest.approx(0.10, abs=three_deviations)
    assert share(lambda i: bare[i] == "a person") == pytest.approx(0.08, abs=three_deviations)
    said = [i for i in range(count) if bare[i] not in ("", "a person")]
    unseen = sum(words not in drawn[i] for i in said) / count
    assert unseen == pytest.approx(0.08, abs=three_deviations)
    paraphrases = set(trained_captions(*label))
    assert {bare[i] for i in said} <= paraphrases and len(paraphrases) >= 20
    usual = sum(bare[i] == canonical for i in said) / len(said)
    assert usual == pytest.approx(0.5 + 0.5 / len(paraphrases), abs=0.03)


def test_no_caption_is_cut(tokenizer: Any) -> None:
    longest = captions.longest_captions()
    check_length(tokenizer, longest, TOKENS)
    with pytest.raises(ValueError, match=r"`length` must be at least \d+, .*got 5"):
        check_length(tokenizer, longest, 5)
    ids = tokenizer(longest).input_ids
    unknown = tokenizer.unk_token_id
    assert all(unknown not in row for row in ids)
    words = max(len(text.replace(",", " ,").split()) for text in longest)
    assert max(map(len, ids)) == words + 1, "a token a word, and the end"


def test_validation_repeats_itself_and_tells_the_bands_apart(
    tokenizer: Any, encoded: Encoded
) -> None:
    tokenise = tokeniser(tokenizer, TOKENS)
    batches = validation_batches(encoded, encoded.latents, tokenise)
    for low, high in BANDS:
        spoken, silent = (
            batches[f"{name}/{low}-{high}"] for name in ("validation", "validation without words")
        )
        assert torch.equal(spoken["noise"], silent["noise"])
        assert low <= spoken["timestep"].min() and spoken["timestep"].max() < high
        assert spoken["mask"].sum() > silent["mask"].sum() == len(encoded)
    module = tiny_denoising(tokenizer)
    figures = validate(module, batches, torch.device("cpu"))
    again = validate(
        module, validation_batches(encoded, encoded.latents, tokenise), torch.device("cpu"), most=4
    )
    assert figures == again
    full = [figures[f"validation/{low}-{high}"] for low, high in BANDS]
    assert figures["validation/mean"] == pytest.approx(sum(full) / 4)


@hypothesis.given(st.sets(st.text("abcd", min_size=1, max_size=3), min_size=3), st.randoms())
def test_rows_are_carried_over_by_their_words(words: set[str], random: Any) -> None:
    ordered = sorted(words)
    old_words, new_words = ordered[: len(ordered) * 2 // 3], list(ordered)
    random.shuffle(new_words)
    old_ids = {word: i for i, word in enumerate(old_words)}
    new_ids = {word: i for i, word in enumerate(new_words)}
    old = torch.randn(len(old_words), 5, generator=seeded(1))
    new = carried_rows(old, old_ids, new_ids, seeded(2))
    assert new.shape == (len(new_words), 5)
    for word, i in new_ids.items():
        assert (word in old_ids) == any(torch.equal(new[i], row) for row in old)
        if word in old_ids:
            assert torch.equal(new[i], old[old_ids[word]])


def test_new_words_are_like_old_ones() -> None:
    old = torch.randn(400, 3, generator=seeded(0)) * torch.tensor([1.0, 2.0, 0.5]) + 4
    old_ids = {f"old{i}": i for i in range(400)}
    new = carried_rows(old, old_ids, {f"new{i}": i for i in range(4000)}, seeded(1))
    torch.testing.assert_close(new.mean(0), old.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(new.std(0), old.std(0), atol=0, rtol=0.05)


def test_an_encoder_means_the_same_by_old_words_in_a_new_vocabulary(tokenizer: Any) -> None:
    text = "a person walks, front view"
    old_tokenizer = build_t5_tokenizer([text], 200, TOKENS)
    encoder = seeded_weights(0, build_text_encoder, len(old_tokenizer)).eval()
    before = encoder(old_tokenizer(text, return_tensors="pt").input_ids)[0]
    encoder = with_vocabulary(encoder, old_tokenizer, tokenizer, seeded(0))
    assert encoder.config.vocab_size == len(tokenizer) > len(old_tokenizer)
    ids = tokenizer(text, return_tensors="pt").input_ids
    assert not torch.equal(ids, old_tokenizer(text, return_tensors="pt").input_ids)
    torch.testing.assert_close(encoder(ids)[0], before, atol=0, rtol=0)


def test_latents_are_normalised_and_pictures_stay() -> None:
    network = seeded_weights(0, build_codec, 32).eval()
    videos = torch.randint(0, 256, (6, 3, 3, 32, 32), generator=seeded(0), dtype=torch.uint8)
    before = encode(network, videos)
    assert (before.std((0, 2, 3, 4)) - 1).abs().max() > 0.1
    posterior = network.encode(videos[0].float() / 127.5 - 1).latent_dist
    pictures = network.decode(before[0].transpose(0, 1)).sample
    codec.normalise(network, before)
    after = encode(network, videos)
    assert after.mean((0, 2, 3, 4)).abs().max() < ROUNDING
    assert (after.std((0, 2, 3, 4)) - 1).abs().max() < ROUNDING
    torch.testing.assert_close(
        network.decode(after[0].transpose(0, 1)).sample, pictures, atol=ROUNDING, rtol=ROUNDING
    )
    noisier = network.encode(videos[0].float() / 127.5 - 1).latent_dist
    scale = before.std((0, 2, 3, 4))[:, None, None]
    torch.testing.assert_close(noisier.std * scale, posterior.std, atol=ROUNDING, rtol=ROUNDING)


def test_a_shipped_codec_is_trained_on_without_noise() -> None:
    network = seeded_weights(0, build_codec, 32).eval()
    images = torch.rand(2, 3, 32, 32, generator=seeded(0))
    before = network.encode(images).latent_dist
    after = codec.with_little_noise(network).encode(images).latent_dist
    assert torch.equal(after.mean, before.mean)
    assert after.std.min() == after.std.max() < 0.06 < before.std.min()


def test_the_body_is_what_differs_from_its_row() -> None:
    images = torch.full((1, 3, 6, 8), 0.9)
    images[:, :, 3:] = 0.5  # the ground
    images[:, 0, 2:5, 3:5] = 0.0
    expected = torch.zeros(1, 1, 6, 8)
    expected[:, :, 2:5, 3:5] = 1
    assert torch.equal(codec.sees_body(images + 0.01 * torch.rand(images.shape)), expected)


def test_looks_stay_around_the_default_and_limbs_apart() -> None:
    scene, palette = Scene(CpuRasterizer()), part_palette()
    pairs = [
        (PART_NAMES.index(name), PART_NAMES.index(name.replace("left", "right")))
        for name in PART_NAMES
        if name.startswith("left") and not name.endswith("collar")
    ]
    drawn = [random_look(scene, seeded(0, i)) for i in range(200)]
    assert random_look(scene, seeded(0, 7)).background == drawn[7].background
    palettes = []
    for look in drawn:
        assert isinstance(look.appearance, PartColours)
        palettes.append(look.appearance.palette)
        distance = [(palettes[-1][a] - palettes[-1][b]).abs().max() for a, b in pairs]
        assert min(distance) > 0.12
    stacked = torch.stack(palettes)
    assert (stacked - palette).abs().max() < 0.13 and (stacked[0] - stacked[1]).abs().max() > 0.01
    # A channel at 1 can only be darkened.
    torch.testing.assert_close(stacked.mean(0), palette, atol=0.03, rtol=0)
    grounds = torch.tensor([look.ground.colour for look in drawn if look.ground])
    torch.testing.assert_close(
        grounds.mean(0), torch.tensor(scene.ground.colour), atol=0.01, rtol=0
    )
    spine = [PART_NAMES.index(f"spine{level}") for level in (1, 2, 3)]
    assert all(torch.equal(p[spine[0]], p[spine[2]]) for p in palettes), "one shirt"


def test_pieces_are_made_once_and_again_where_damaged(tmp_path: Path) -> None:
    path, calls = tmp_path / "a" / "piece.safetensors", []

    def make() -> dict[str, Tensor]:
        calls.append(1)
        return {"x": torch.arange(3)}

    for _ in range(2):
        assert torch.equal(stored(path, {"seed": 1}, make)["x"], torch.arange(3))
    assert len(calls) == 1
    path.write_bytes(path.read_bytes()[:-3])
    assert torch.equal(stored(path, {"seed": 1}, make)["x"], torch.arange(3))
    assert len(calls) == 2
    with pytest.raises(ValueError, match=r"must have been made with seed=2, got 1; give that"):
        stored(path, {"seed": 2}, make)


def test_frames_come_from_the_right_shard() -> None:
    plan = Plan(5, 0, 8, "none", per_shard=2)
    numbered = torch.arange(5 * 4).view(5, 4, 1, 1, 1).expand(5, 4, 3, 8, 8).to(torch.uint8)
    clips = Clips(plan, numbered.split(2), (("walk", "right"),) * 5, (0, 1, 2, 3, 4))
    clip, frame = torch.tensor([0, 3, 4]), torch.tensor([1, 0, 3])
    assert clips.frames(clip, frame)[:, 0, 0, 0].tolist() == [1, 12, 19]
    assert clips.shard(1).views == (2, 3) and clips.shard(2).views == (4,)


def test_networks_that_are_too_large_are_refused(tokenizer: Any) -> None:
    native = VideoFormat(8.0, 3, 32, 32)
    layout = Layout(None, "transformer", {}, build_codec(32), native, TOKENS, max_bytes=500_000)
    with pytest.raises(ValueError, match=r"at most 500000 bytes together, got \d+; lessen"):
        layout.check(tiny_denoising(tokenizer))


TINY = "--steps 2 --batch 2 --threads 1 --device cpu".split()


@pytest.fixture(scope="module")
def video_training(low_body: SkinnedBody, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole training of the video prior, two steps long."""
    out = tmp_path_factory.mktemp("video")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_embedded_prior, "anny_body", lambda *_: low_body)
        patch.setattr(samples, "_STEPS", 1)
        words = "--clips 4 --validation-clips 2 --size 32 --codec-steps 2 --width 16 --layers 1"
        train_embedded_prior.main([*TINY, *words.split(), "--out", str(out)])
        # Everything is there: nothing is done again.
        before = (out / "codec.safetensors").stat().st_mtime_ns
        train_embedded_prior.main([*TINY, *words.split(), "--out", str(out)])
        assert (out / "codec.safetensors").stat().st_mtime_ns == before
    torch.use_deterministic_algorithms(False)
    return out


def test_the_video_training_writes_a_prior(video_training: Path) -> None:
    prior = load_prior(video_training / "pipeline")
    assert (prior.format.frames, prior.format.height, prior.format.fps) == (16, 32, 8.0)
    latents = sample(prior, ["a person walks, back view"], generator=seeded(0), num_steps=2)
    assert latents.shape == (1, 4, 16, 8, 8) and bool(latents.isfinite().all())
    assert len(list((video_training / "samples").glob("step_00000002_*.png"))) == 2
    last = (video_training / "denoiser" / "figures.jsonl").read_text().splitlines()[-1]
    assert {"loss", "rate", "validation/mean", "validation/750-1000"} <= json.loads(last).keys()


@pytest.mark.slow
def test_the_image_training_writes_a_prior_with_the_same_codec(
    video_training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_STEPS", 1)
    words = ["--video", str(video_training), "--out", str(tmp_path), "--width", "8"]
    train_image_prior.main([*TINY, *words])
    torch.use_deterministic_algorithms(False)
    image, video = (load_prior(folder / "pipeline") for folder in (tmp_path, video_training))
    assert (image.format.frames, image.format.height) == (1, 32)
    latents = sample(image, ["a person walks, back view"], generator=seeded(0), num_steps=2)
    assert latents.shape == (1, 4, 1, 8, 8) and bool(latents.isfinite().all())
    picture = torch.rand(1, 1, 3, 32, 32, generator=seeded(0))
    frames = picture.expand(1, 16, 3, 32, 32)
    torch.testing.assert_close(image.encode(picture)[:, :, 0], video.encode(frames)[:, :, 5])
    assert len(list((tmp_path / "samples").glob("*.png"))) == 1


@pytest.mark.slow
def test_a_training_starts_from_a_shipped_prior(
    video_training: Path, low_body: SkinnedBody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its codec is kept, its denoiser trained on."""
    monkeypatch.setattr(train_embedded_prior, "anny_body", lambda *_: low_body)
    monkeypatch.setattr(samples, "_STEPS", 1)
    words = "--clips 2 --validation-clips 2 --size 32 --rate 0 --codec-steps 0".split()
    start = ["--start", str(video_training / "pipeline"), "--out", str(tmp_path)]
    train_embedded_prior.main([*TINY, *words, *start])
    torch.use_deterministic_algorithms(False)
    assert not (tmp_path / "codec").exists(), "no training of the codec"
    for part in ("vae/diffusion_pytorch_model", "transformer/diffusion_pytorch_model"):
        name = f"pipeline/{part}.safetensors"
        assert (tmp_path / name).read_bytes() == (video_training / name).read_bytes()
