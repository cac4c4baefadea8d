"""Compiled denoisers answer as the others do, and a machine without a compiler is told so."""

import pytest
import tiny_latte
import tiny_wan
import torch

from motiondistill.priors.base import Conditioning, Denoiser
from motiondistill.priors.compiled import compiled
from motiondistill.priors.loading import load_prior, randomized

SINGLE = 1e-5  # float32 sums in another order, through a random network

SPACES = " " in torch.__file__


@pytest.fixture(scope="module")
def latte(tmp_path_factory):
    return tiny_latte.save_tiny(tmp_path_factory.mktemp("priors") / "latte")


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Bend(torch.nn.Module):
    """A function that a compiler has to write code for; it passes over the library's own."""

    def forward(self, x):
        return (x.sin() * 3).exp()


class Bent(Denoiser):
    """One network."""

    def __init__(self):
        self.network = Bend()

    def predict(self, scaled, time, conditioning):
        return self.network(scaled) + 1

    def randomized(self, generator):
        return Bent()


@pytest.mark.parametrize(
    ("tiny", "options", "count"),
    [(tiny_latte, {}, 1), (tiny_wan, {"version": "a14b"}, 2)],
    ids=["latte", "two experts"],
)
def test_the_denoisers_networks_alone_are_compiled(tiny, options, count, tmp_path, monkeypatch):
    folder, switched = tiny.save_tiny(tmp_path / "tiny", **options), []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: switched.append(type(self)))
    prior = load_prior(folder, compile_denoiser=True)
    assert len(switched) == count
    assert all("Transformer3DModel" in kind.__name__ for kind in switched)
    randomized(prior, torch.Generator())
    assert len(switched) == 2 * count, "fresh weights are compiled as well"
    load_prior(folder)
    assert len(switched) == 2 * count


def test_a_missing_compiler_is_told(monkeypatch, tmp_path):
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # nothing is compiled already
    torch._dynamo.reset()
    with (
        config.patch({"cpp.cxx": (str(tmp_path / "no-compiler"),)}),
        pytest.raises(
            ValueError, match=r"^`prior.compile` must be false where .* got true"
        ) as told,
    ):
        compiled(Bent()).predict(draw(1, 1, 1, 8, 8), torch.ones(1), Conditioning({}))
    message = str(told.value)
    fix = "a path with spaces" if SPACES else "C++ compiler, such as g++"
    assert len(message.splitlines()) == 1 and fix in message
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.skipif(SPACES, reason="the library cannot compile in a path with spaces")
def test_compiled_answers_and_gradients_are_those_of_the_plain_denoiser(latte):
    plain, fast = load_prior(latte), load_prior(latte, compile_denoiser=True)
    video = draw(1, 16, 3, 64, 64).sigmoid()
    sigma, conditioning = plain.snap(torch.tensor([1.0])), plain.embed(["a person walks"])
    noise = sigma * draw(*plain.encode(video).shape, seed=1)

    def answer(prior):
        pixels = video.clone().requires_grad_()
        clean = prior.denoise(prior.encode(pixels) + noise, sigma, conditioning)
        (gradient,) = torch.autograd.grad(clean.square().sum(), pixels)
        with torch.no_grad():
            alone = prior.denoise(noise, sigma, conditioning)
            pair = prior.denoise(
                torch.cat([noise, -noise]), sigma.expand(2), conditioning.repeat(2)
            )
        return clean.detach(), gradient, alone, pair

    for ours, expected in zip(answer(fast), answer(plain), strict=True):
        assert (ours - expected).abs().max() < SINGLE * max(1, expected.abs().max())
