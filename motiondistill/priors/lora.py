"""Low-rank adaptations of a prior's networks (Hu et al. 2022), by peft."""

import copy
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import nn

from motiondistill.priors.base import Denoiser, DiffusersPrior, Prior
from motiondistill.priors.compiled import CompiledDenoiser
from motiondistill.priors.placement import PlacedDenoiser

ADAPTED: Final = ("to_q", "to_k", "to_v", "to_out.0")
"""The linear layers that are adapted: diffusers' names for those of attention."""


def initial_lora(prior: Prior, rank: int, generator: torch.Generator) -> nn.ParameterList:
    """The parameters of an adaptation that changes nothing yet.

    Raises ValueError for a prior without a network to adapt, and ImportError without peft.
    """
    parameters: list[nn.Parameter] = []
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    # peft initialises from the global generator, which is put back afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for network in _networks(_adapted(prior, rank).denoiser):
            parameters += (parameter for _, parameter in _low_rank(network))
    return nn.ParameterList(parameters)


def with_lora(prior: Prior, rank: int, parameters: Sequence[nn.Parameter]) -> Prior:
    """The prior adapted by these parameters, in the order of `initial_lora`.

    It shares the frozen weights of the one given, which stays as it is. Its `denoise` is
    differentiable in the parameters. Raises as `initial_lora` does.
    """
    twin = _adapted(prior, rank)
    given = iter(parameters)
    for network in _networks(twin.denoiser):
        for name, _ in _low_rank(network):
            owner, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(owner), leaf, next(given))
    return twin


def _adapted(prior: Prior, rank: int) -> DiffusersPrior:
    if not isinstance(prior, DiffusersPrior):
        raise _untrainable(prior)
    return dataclasses.replace(prior, denoiser=_twin(prior.denoiser, rank))


def _twin(denoiser: Denoiser, rank: int) -> Denoiser:
    if isinstance(denoiser, PlacedDenoiser):
        return dataclasses.replace(denoiser, denoiser=_twin(denoiser.denoiser, rank))
    if isinstance(denoiser, CompiledDenoiser):
        return _twin(denoiser.denoiser, rank)  # a copy is not compiled
    networks = {n: part for n, part in vars(denoiser).items() if isinstance(part, nn.Module)}
    if not networks:
        raise _untrainable(denoiser)
    twin: Any = copy.copy(denoiser)
    for name, network in networks.items():
        object.__setattr__(twin, name, _injected(network, rank))  # a copy of a frozen dataclass
    assert isinstance(twin, Denoiser)
    return twin


def _injected(network: nn.Module, rank: int) -> nn.Module:
    """A copy of the network with low-rank layers beside those of attention; weights are shared."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(
            "`score.objective` must not be vsd without the library peft; "
            'install it by pip install "motiondistill[lora]".'
        ) from error
    names = [
        name
        for name, part in network.named_modules()
        if name.endswith(ADAPTED) and isinstance(part, nn.Linear)
    ]
    if not names:
        raise _untrainable(network)
    shared = {id(part): part for part in itertools.chain(network.parameters(), network.buffers())}
    # As large an update as the low rank allows: the factor alpha / rank is 1.
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=names)
    injected: nn.Module = inject_adapter_in_model(config, copy.deepcopy(network, shared))
    return injected.eval()


def _networks(denoiser: Denoiser) -> list[nn.Module]:
    if isinstance(denoiser, PlacedDenoiser):
        return _networks(denoiser.denoiser)
    return [part for part in vars(denoiser).values() if isinstance(part, nn.Module)]


def _low_rank(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, part) for name, part in network.named_parameters() if "lora_" in name]


def _untrainable(thing: object) -> ValueError:
    return ValueError(
        "`score.objective` must not be vsd for a prior without attention layers to adapt, got "
        f"{type(thing).__name__}; choose another objective or prior."
    )
