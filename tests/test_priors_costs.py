"""Costs on the meta device, against what real runs keep and what arithmetic says."""

import pytest
import torch
from tiny_codecs import SIZES, tiny_codec
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import scaled_dot_product_attention

from motiondistill.priors.base import Codec, Denoiser, VideoFormat
from motiondistill.priors.costs import (
    META,
    count_parameters,
    denoising_cost,
    empty_conditioning,
    empty_network,
    encoding_cost,
)
from motiondistill.priors.encode_modes import checkpointed, two_pass

PIXELS = 5 * 3 * 8 * 8  # of the clip below
SIZE = (5, 8, 8)


class FunctionCodec(Codec):
    """Any function of the video as an encoder."""

    def __init__(self, function):
        self._function = function

    @property
    def format(self):
        return VideoFormat(8.0, 1, 1, 1)

    def encode(self, video):
        return self._function(video).transpose(1, 2)

    def decode(self, latents):
        raise NotImplementedError

    def latent_shape(self, frames, height, width):
        raise NotImplementedError


def test_memory_and_operations_of_a_linear_layer():
    matrix = torch.empty(8, 8, device=META)
    cost = encoding_cost(FunctionCodec(lambda video: video @ matrix), *SIZE)
    # The result is kept, nothing else is needed: the gradient in pixels is one more product.
    assert cost.kept_bytes == 4 * PIXELS
    assert cost.flops == 2 * (2 * PIXELS * 8)
    # Result, its gradient, and the pixels' gradient.
    assert cost.peak_bytes == 3 * 4 * PIXELS


def test_memory_of_what_the_gradient_needs():
    cost = encoding_cost(FunctionCodec(lambda video: video.exp().sin()), *SIZE)
    assert cost.kept_bytes == 2 * 4 * PIXELS  # the exponential, for both, and the sine
    assert cost.flops == 0


def test_attention_never_holds_its_matrix():
    tokens, channels = 5, 3 * 8 * 8

    def attend(video):
        flat = video.flatten(2)
        result = torch.nn.functional.scaled_dot_product_attention(flat, flat, flat)
        return result.view_as(video)

    cost = encoding_cost(FunctionCodec(attend), *SIZE)
    assert cost.kept_bytes == 4 * PIXELS
    assert cost.flops == (2 + 5) * 2 * tokens**2 * channels
    assert torch.nn.functional.scaled_dot_product_attention is scaled_dot_product_attention


def kept_by(codec, video):
    """Bytes that autograd keeps beside the video, weights aside."""
    vae = codec.vae if hasattr(codec, "vae") else codec.codec.vae
    known = {p.untyped_storage().data_ptr() for p in vae.parameters()}
    known.add(video.untyped_storage().data_ptr())
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        latents = codec.encode(video)
    kept[latents.untyped_storage().data_ptr()] = latents.untyped_storage()
    return sum(storage.nbytes() for storage in kept.values())


def plain(codec):
    return codec


@pytest.mark.parametrize(
    ("name", "frames", "mode"),
    [
        ("wan21", 5, plain),
        ("wan21", 9, checkpointed),
        ("wan22", 5, two_pass),
        ("cogvideox", 9, checkpointed),
        ("frames", 2, plain),
        ("frames", 2, two_pass),
    ],
)
def test_what_is_kept_is_what_a_real_encoding_keeps(name, frames, mode):
    side = SIZES[name][1]
    video = torch.rand(1, frames, 3, side, side, requires_grad=True)
    real, empty = tiny_codec(name), tiny_codec(name)
    torch.nn.Module.to(real.vae, torch.float32)
    torch.nn.Module.to(empty.vae, META, torch.float32)
    kept = kept_by(mode(real), video)
    cost = encoding_cost(mode(empty), frames, side, side)
    # A real attention also keeps a sum for every query, and small constants are not counted alike.
    assert cost.kept_bytes == pytest.approx(kept, rel=0.05, abs=4096)
    assert cost.peak_bytes >= cost.kept_bytes


def test_each_pass_of_the_encoder_counts():
    side = SIZES["frames"][1]

    def flops(mode):
        codec = tiny_codec("frames")
        codec.vae.to(META)
        return encoding_cost(mode(codec), 1, side, side).flops

    # Forward and backward are about alike where weights get no gradient. Frames are encoded twice,
    # and with two passes their blocks once more, but for what stands before and after the blocks.
    assert flops(checkpointed) / flops(plain) == pytest.approx(1.5, rel=0.02)
    assert 1.8 < flops(two_pass) / flops(plain) < 2


def test_denoising_counts_one_pass_without_a_graph():
    class Linear(Denoiser):
        def predict(self, scaled, time, conditioning):
            mask = conditioning.tensors["mask"]
            assert len(mask.nonzero()) == 3  # nothing is known to be padding
            return scaled @ torch.empty(8, 8, device=META) * time

        def randomized(self, generator):
            raise NotImplementedError

    conditioning = empty_conditioning({"mask": (3,)})
    cost = denoising_cost(Linear(), (4, 5, 8, 8), conditioning)
    assert cost.flops == 2 * 4 * 5 * 8 * 8 * 8
    assert cost.kept_bytes == 4 * 4 * 5 * 8 * 8
    assert cost.peak_bytes < 3 * cost.kept_bytes  # the product, its multiple, and a small matrix


def test_networks_without_weights_have_the_published_sizes():
    import diffusers
    import transformers

    # Wan 2.1's smaller transformer, and the text encoder of most video models.
    wan = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
    network = empty_network(diffusers.WanTransformer3DModel, wan, torch.bfloat16)
    assert count_parameters(network) == 1_418_996_800
    assert {p.device.type for p in network.parameters()} == {"meta"}
    assert not any(p.requires_grad for p in network.parameters())
    clip = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
    text = empty_network(transformers.CLIPTextModel, clip, torch.float32)
    assert count_parameters(text) == pytest.approx(123e6, rel=0.01)
