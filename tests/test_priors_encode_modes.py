"""Modes of encoding: the same latents and gradients to the last bit, for less memory."""

import pytest
import torch
from tiny_codecs import SIZES, RawCodec, library_mean, tiny_codec
from torch.autograd.graph import saved_tensors_hooks

from motiondistill.priors.encode_modes import TwoPassCodec, checkpointed, two_pass
from motiondistill.priors.placement import PlacedCodec

# The library computes attention, norms or Fourier features of these in float32.
SINGLE = {"ltx", "mochi"}


@pytest.fixture(params=SIZES)
def name(request):
    return request.param


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def draw_video(name, clips=1):
    frames, side = SIZES[name]
    return draw(clips, frames, 3, side, side, seed=1).sigmoid()


def plain(name):
    """What keeps everything. Batched products sum in another order, so frames go one by one."""
    encode = tiny_codec(name).encode
    if name != "frames":
        return encode
    return lambda video: torch.cat([encode(frame) for frame in video.split(1, dim=1)], dim=2)


def differentiate(encode, video):
    """Latents, their gradient for random weights, and the bytes that autograd kept meanwhile."""
    leaf = video.clone().requires_grad_()
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        latents = encode(leaf)
    (gradient,) = torch.autograd.grad((draw(*latents.shape) * latents).sum(), leaf)
    return latents.detach(), gradient, sum(kept.values())


def test_checkpointing_changes_nothing_but_memory(name):
    video = draw_video(name, clips=1)
    latents, gradient, kept = differentiate(plain(name), video)
    ours, same, less = differentiate(checkpointed(tiny_codec(name)).encode, video)
    assert (gradient.abs().amax(dim=(0, 2, 3, 4)) > 0).all()
    assert torch.equal(ours, latents)
    assert torch.equal(same, gradient)
    assert less < 0.6 * kept


def test_two_passes_change_nothing_but_memory(name):
    video = draw_video(name, clips=1)
    latents, gradient, _ = differentiate(plain(name), video)
    codec = two_pass(tiny_codec(name))
    ours, same, less = differentiate(codec.encode, video)
    assert isinstance(codec, TwoPassCodec)
    assert torch.equal(ours, latents)
    assert torch.equal(same, gradient)
    assert less == video.nbytes


def test_each_clip_of_a_batch_gets_its_own_gradient(name):
    video = draw_video(name, clips=2)
    codec = tiny_codec(name)
    latents, gradient, _ = differentiate(codec.encode, video)
    ours, same, _ = differentiate(two_pass(codec).encode, video)
    # A batch sums in another order than its clips; what is float32 inside rounds by more.
    tolerance = 1e-5 if name in SINGLE else 1e-13
    assert (ours - latents).abs().max() < tolerance * latents.abs().max()
    assert (same - gradient).abs().max() < tolerance * gradient.abs().max()


@pytest.mark.parametrize("name", ["wan21", "wan22"])
@pytest.mark.parametrize("frames", [1, 5, 13])
def test_our_encoder_of_wan_is_the_librarys(name, frames):
    """Also guards against new layouts of the caches in the library."""
    codec, video = tiny_codec(name), draw_video(name, clips=2)[:, :frames]
    library = RawCodec(codec.vae, codec.video_format, library_mean)
    latents, gradient, _ = differentiate(library.encode, video)
    ours, same, _ = differentiate(codec.encode, video)
    assert latents.shape[2] == (frames - 1) // 4 + 1
    assert torch.equal(ours, latents)
    assert torch.equal(same, gradient)


def test_wan_refuses_frames_that_the_library_would_drop():
    with pytest.raises(ValueError, match=r"4k\+1 frames for Wan, got 12"):
        tiny_codec("wan21").encode(draw_video("wan21")[:, :12])


def test_no_graph_is_made_where_none_is_asked_for():
    codec, video = two_pass(tiny_codec("wan21")), draw_video("wan21")
    assert not codec.encode(video).requires_grad
    with torch.no_grad():
        assert not codec.encode(video.requires_grad_()).requires_grad


def test_the_device_is_chosen_outside_of_the_mode():
    for mode in (two_pass, checkpointed):
        codec = mode(PlacedCodec(tiny_codec("frames"), "cpu"))
        assert isinstance(codec, PlacedCodec)
        assert isinstance(codec.codec, TwoPassCodec)
        assert codec.codec.frames_at_once == 1


def test_wrapped_codecs_pass_everything_else_on():
    codec = tiny_codec("frames")
    latents = draw(1, 4, 3, 4, 4, seed=2)
    wrapped = two_pass(codec)
    assert wrapped.format == codec.format
    assert wrapped.latent_shape(3, 16, 16) == codec.latent_shape(3, 16, 16)
    assert torch.equal(wrapped.decode(latents), codec.decode(latents))
