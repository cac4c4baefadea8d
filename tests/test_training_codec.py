"""The codec of the priors: its latents, its noise, and where it sees the body."""

import torch
from embedded_training import codec
from embedded_training.encoded import encode
from embedded_training.networks import build_codec, seeded_weights

from motiondistill.randomness import seeded

# Sums of float32 over a few thousand numbers of size 1.
ROUNDING = 2e-4


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
