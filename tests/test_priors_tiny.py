"""Tiny autoencoders: the published layout, the rules of frames, and gradients that reach pixels."""

import pytest
import torch
from safetensors.torch import save_file
from tiny_codecs import RawCodec, tiny_codec

from motiondistill.priors.base import VideoFormat
from motiondistill.priors.encode_modes import TwoPassCodec, two_pass
from motiondistill.priors.placement import PlacedCodec
from motiondistill.priors.tiny_autoencoder import (
    MemoryBlock,
    MergeFrames,
    SplitFrames,
    TinyArchitecture,
    TinyAutoencoder,
    load_tiny_autoencoder,
)
from motiondistill.priors.tiny_codec import (
    TinyFrameCodec,
    TinyVideoCodec,
    gradient_cosine,
    load_tiny_codec,
    probe,
)

# As the published files say: name, pixels and frames to a latent, keys with their shapes.
PUBLISHED = {
    "taew2_1": TinyArchitecture(),
    "taew2_2": TinyArchitecture(latent_channels=48, patch=2),
    "taew2_2_super": TinyArchitecture(latent_channels=48, patch=2, wide=True),
    "taehv1_5": TinyArchitecture(latent_channels=32, patch=2),
    "taeltx_2": TinyArchitecture(
        latent_channels=128, patch=4, frame_merges=(2, 2, 2), frame_splits=(2, 2, 2)
    ),
}
SINGLE = 1e-5  # float32 sums in another order


def random_network(architecture):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return TinyAutoencoder(architecture).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network():
    return random_network(TinyArchitecture())


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def codec(network, frames=9):
    return TinyVideoCodec(network, VideoFormat(8.0, frames, 32, 32, 4, 1, 8))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_shapes_of_published_weights_tell_their_architecture(name, tmp_path):
    architecture = PUBLISHED[name]
    network = random_network(architecture)
    save_file(network.state_dict(), tmp_path / "any name.safetensors")
    loaded = load_tiny_autoencoder(tmp_path / "any name.safetensors")
    assert loaded.architecture == architecture
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    again = load_tiny_autoencoder(tmp_path / "weights.pth")
    side = architecture.pixels_per_latent
    video = draw(1, architecture.frames_per_latent + 1, 3, side, side)
    assert torch.equal(loaded.encode(video), network.encode(video))
    assert torch.equal(again.encode(video), network.encode(video))
    assert not any(p.requires_grad for p in loaded.parameters())


def test_layers_stand_where_published_weights_have_them(network):
    """A sample of keys and shapes of taew2_1 and, below, of its larger decoder."""
    keys = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert keys["encoder.0.weight"] == (64, 3, 3, 3)
    assert keys["encoder.2.conv.weight"] == (64, 128, 1, 1)
    assert keys["encoder.3.weight"] == (64, 64, 3, 3)
    assert keys["encoder.4.conv.0.weight"] == (64, 128, 3, 3)
    assert keys["encoder.12.conv.weight"] == (64, 64, 1, 1)
    assert keys["encoder.17.bias"] == (16,)
    assert keys["decoder.1.weight"] == (256, 16, 3, 3)
    assert keys["decoder.5.conv.4.weight"] == (256, 256, 3, 3)
    assert keys["decoder.7.conv.weight"] == (256, 256, 1, 1)
    assert keys["decoder.8.weight"] == (128, 256, 3, 3)
    assert keys["decoder.13.conv.weight"] == (256, 128, 1, 1)
    assert keys["decoder.22.weight"] == (3, 64, 3, 3)
    assert not {"encoder.3.bias", "decoder.8.bias", "decoder.7.conv.bias"} & keys.keys()
    wide = random_network(PUBLISHED["taew2_2_super"]).state_dict()
    assert tuple(wide["decoder.0.weight"].shape) == (512, 48, 1, 1)
    assert tuple(wide["decoder.1.conv.0.weight"].shape) == (1024, 1, 7, 7)
    assert tuple(wide["decoder.4.weight"].shape) == (1024, 512, 3, 3)
    assert tuple(wide["decoder.22.weight"].shape) == (12, 64, 3, 3)


def slowly(layers, frames):
    """The encoder one frame at a time, with what each block saw last: the published other way."""
    for layer in layers:
        if isinstance(layer, MemoryBlock):
            pasts = [torch.zeros_like(frames[0]), *frames]
            frames = [
                torch.relu(layer.conv(torch.cat([now, past], 1)) + now)
                for now, past in zip(frames, pasts, strict=False)
            ]
        elif isinstance(layer, MergeFrames):
            groups = [frames[i : i + layer.frames] for i in range(0, len(frames), layer.frames)]
            frames = [layer.conv(torch.cat(group, 1)) for group in groups]
        elif isinstance(layer, SplitFrames):
            frames = [part for now in frames for part in layer.conv(now).chunk(layer.frames, dim=1)]
        else:
            frames = [layer(now) for now in frames]
    return torch.stack(frames, dim=1)


def test_all_frames_at_once_are_one_frame_at_a_time(network):
    video = draw(2, 8, 3, 16, 16)
    latents = network.encode(video)
    expected = slowly(network.encoder, list(video.unbind(1)))
    assert latents.shape == (2, 2, 16, 2, 2)
    assert (latents - expected).abs().max() < SINGLE * expected.abs().max()
    decoded = slowly(network.decoder, list(latents.unbind(1)))[:, 3:].clamp(0, 1)
    assert (network.decode(latents) - decoded).abs().max() < SINGLE
    assert decoded.std() > 0.01


@pytest.mark.parametrize("frames", [1, 5, 9, 17])
def test_clips_of_4k_and_1_frames_come_back_as_long(network, frames):
    tiny = codec(network, frames)
    video = draw(1, frames, 3, 16, 32)
    latents = tiny.encode(video)
    assert tuple(latents.shape[1:]) == tiny.latent_shape(frames, 16, 32)
    assert tuple(latents.shape[1:]) == (16, (frames - 1) // 4 + 1, 2, 4)
    assert tiny.decode(latents).shape == video.shape


def test_the_last_frame_is_repeated_until_its_latent_is_complete(network):
    video = draw(1, 6, 3, 16, 16)
    longer = torch.cat([video, video[:, -1:], video[:, -1:]], dim=1)
    assert torch.equal(network.encode(video), network.encode(longer))


def test_every_frame_gets_gradient_that_finite_differences_confirm():
    network = random_network(TinyArchitecture()).double()
    tiny = codec(network)
    video = draw(1, 9, 3, 16, 16).double().requires_grad_()
    latents = tiny.encode(video)
    weights = torch.randn(
        latents.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    (gradient,) = torch.autograd.grad((weights * latents).sum(), video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    direction = draw(*video.shape, seed=2).double() - 0.5
    step = 1e-7  # so small that hardly a unit crosses its kink
    with torch.no_grad():
        ahead, behind = (
            (weights * tiny.encode(video + sign * step * direction)).sum() for sign in (1, -1)
        )
    slope = (ahead - behind) / (2 * step)
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


def test_files_that_are_no_tiny_autoencoder_are_refused(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"exists, got .*none.safetensors; check"):
        load_tiny_autoencoder(tmp_path / "none.safetensors")
    save_file({"encoder.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        load_tiny_autoencoder(tmp_path / "part.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="copy it anew"):
        load_tiny_autoencoder(tmp_path / "cut.safetensors")
    uneven = random_network(TinyArchitecture(frame_splits=(1, 1, 2)))
    save_file(uneven.state_dict(), tmp_path / "uneven.safetensors")
    with pytest.raises(ValueError, match="4 frames to a latent, but 2 of it"):
        load_tiny_autoencoder(tmp_path / "uneven.safetensors")


def test_pickles_without_named_tensors_are_refused(network, tmp_path):
    path, weights = tmp_path / "weights.pth", network.state_dict()
    for content, message in (
        ({"state_dict": dict(weights)}, "named tensors only, but 'state_dict' is a dict; use"),
        (dict(enumerate(weights.values())), "named tensors only, but 0 is a Tensor; use"),
        (list(weights.values()), "a dictionary of tensors, got list; use"),
        (network, "holds Python objects, .*; get a file from github.com/madebyollin/taehv"),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=rf"`.*weights.pth` must hold .*{message}"):
            load_tiny_autoencoder(path)


def full_codec(channels):
    """A stand-in for the family's own codec: only its format and its latents' shape are asked."""
    network = random_network(TinyArchitecture(latent_channels=channels))
    return TinyVideoCodec(network, VideoFormat(8.0, 9, 32, 32, 4, 1, 16))


def test_a_tiny_codec_keeps_the_rules_and_the_device_of_the_full_one(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "tiny.safetensors")
    full = full_codec(16)
    assert load_tiny_codec(tmp_path / "tiny.safetensors", full).format == full.format
    placed = load_tiny_codec(tmp_path / "tiny.safetensors", PlacedCodec(full, "cpu"))
    assert isinstance(placed, PlacedCodec)
    half = load_tiny_codec(tmp_path / "tiny.safetensors", full, torch.bfloat16)
    latents = half.encode(draw(1, 5, 3, 16, 16))
    assert latents.dtype == torch.float32
    assert {p.dtype for p in half.network.parameters()} == {torch.bfloat16}


def test_latents_of_another_shape_are_refused(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "tiny.safetensors")
    with pytest.raises(ValueError, match=r"shape \(48, 3, 4, 4\), got \(16, 3, 4, 4\)"):
        load_tiny_codec(tmp_path / "tiny.safetensors", full_codec(48))


def test_tiny_image_autoencoders_serve_frame_by_frame(tmp_path):
    import diffusers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = diffusers.AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
        )
    vae.save_pretrained(tmp_path)
    full = tiny_codec("frames")
    tiny = load_tiny_codec(tmp_path, full)
    assert isinstance(tiny, TinyFrameCodec)
    video = draw(2, 3, 3, 16, 16).requires_grad_()
    latents = tiny.encode(video)
    expected = vae.encode(video[1, 2, None] * 2 - 1).latents[0]
    assert (latents[1, :, 2] - expected).abs().max() < SINGLE
    assert tuple(latents.shape[1:]) == full.latent_shape(3, 16, 16)
    (gradient,) = torch.autograd.grad(latents.square().sum(), video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    assert tiny.decode(latents.detach()).shape == video.shape
    wrapped = two_pass(tiny)
    assert isinstance(wrapped, TwoPassCodec)
    assert wrapped.frames_at_once == 1
    assert (wrapped.encode(video.detach()) - latents).abs().max() < SINGLE


def test_the_cosine_of_gradients_is_one_for_itself_and_little_for_another(network):
    tiny = codec(network)
    video, target = probe(tiny)
    assert video.shape == target.shape == (1, 9, 3, 32, 32)
    assert gradient_cosine(tiny, tiny, video, target) == pytest.approx(1.0, abs=1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        other = codec(TinyAutoencoder(TinyArchitecture()).requires_grad_(False))
    assert gradient_cosine(tiny, other, video, target) < 0.5


def test_the_cosine_is_that_of_jacobians():
    """Encoders that scale every pixel by its own factor: the gradient is a product."""
    scales = draw(2, 1, 2, 3, 4, 4)

    def scaled(scale):
        def mean(_, centred):
            return centred * scale.transpose(1, 2)

        return RawCodec(None, VideoFormat(8.0, 2, 4, 4), mean)

    full, tiny = scaled(scales[0]), scaled(scales[1])
    video, target = draw(1, 2, 3, 4, 4, seed=3), draw(1, 2, 3, 4, 4, seed=4)
    wanted = scales[0] * (video - target)  # half the difference of latents
    ours, theirs = scales[0] * wanted, scales[1] * wanted
    expected = (ours * theirs).sum() / (ours.norm() * theirs.norm())
    assert gradient_cosine(full, tiny, video, target) == pytest.approx(expected.item(), abs=1e-6)


def test_probes_are_clips_that_the_codec_can_take():
    for video_format in (
        VideoFormat(16.0, 81, 480, 832, 4, 1, 16),
        VideoFormat(25.0, 161, 512, 704, 8, 1, 32),
        VideoFormat(30.0, 163, 480, 848, 6, 1, 16),
        VideoFormat(8.0, 16, 512, 512, 0, 16, 16),
        VideoFormat(8.0, 1, 1024, 1024, size_step=8),
    ):
        for clip in probe(RawCodec(None, video_format, lambda vae, x: x)):
            video_format.check(clip.shape[1], clip.shape[3], clip.shape[4])
            assert clip.shape[1] <= max(9, video_format.frame_offset)
            assert 0 < clip.min() < clip.max() < 1
