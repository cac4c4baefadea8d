"""Memory and arithmetic of encoding and denoising, without weights and without a device.

Everything runs on PyTorch's meta device, whose tensors have shapes but no values: so models of any
size can be measured anywhere, in seconds. Weights, the video and what a convolution's kernel takes
for itself are not in these numbers; attention is counted as by the kernels that never hold a whole
matrix of it.
"""

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from motiondistill.priors.base import Codec, Conditioning, Denoiser

META: Final = torch.device("meta")


@final
@dataclass(frozen=True)
class Cost:
    """What one computation takes beside its weights and its input."""

    kept_bytes: int
    """Alive between the forward and the backward pass, with the result: while others work."""
    peak_bytes: int
    """The most that was alive at once, of both passes."""
    flops: float
    """Floating-point operations of matrix products and convolutions, in both passes."""


def encoding_cost(codec: Codec, frames: int, height: int, width: int) -> Cost:
    """Of encoding one clip and of its gradient in pixels; the codec's networks are on `META`."""
    video = torch.empty(1, frames, 3, height, width, device=META, requires_grad=True)
    with _Meter() as meter, _as_on_a_device(meter):
        latents = codec.encode(video)
        kept = meter.alive
        torch.autograd.grad(latents, video, torch.empty_like(latents))
    return Cost(kept, meter.peak, meter.flops)


def denoising_cost(
    denoiser: Denoiser, latent_shape: tuple[int, int, int, int], conditioning: Conditioning
) -> Cost:
    """Of one pass over one clip without gradient; the denoiser's networks are on `META`."""
    latents = torch.empty(1, *latent_shape, device=META)
    time = torch.empty(1, device=META)
    with torch.no_grad(), _Meter() as meter, _as_on_a_device(meter):
        output = denoiser.predict(latents, time, conditioning)
        kept = meter.alive
    del output
    return Cost(kept, meter.peak, meter.flops)


def empty_conditioning(shapes: Mapping[str, tuple[int, ...]]) -> Conditioning:
    """One prompt's conditioning on `META`; masks are Boolean."""
    return Conditioning(
        {
            name: torch.empty(1, *shape, device=META, dtype=torch.bool if "mask" in name else None)
            for name, shape in shapes.items()
        }
    )


def empty_network(kind: Any, config: Mapping[str, Any], dtype: torch.dtype) -> Any:
    """The network of a class of diffusers or transformers with this configuration, on `META`."""
    with META:
        if hasattr(kind, "config_class"):
            network = kind(kind.config_class.from_dict(config))
        else:
            network = kind.from_config(config)
    # Past the library's own `to`, which warns of modules that it would keep in single precision.
    torch.nn.Module.to(network, dtype)
    return network.eval().requires_grad_(False)


def count_parameters(network: Any) -> int:
    """How many numbers a network holds."""
    return sum(parameter.numel() for parameter in network.parameters())


@final
class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the memory of tensors that are made under it, until they are gone, and operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.peak = 0
        self.flops = 0.0
        self._storages: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self,
        function: Any,
        types: Iterable[Any],
        arguments: tuple[Any, ...] = (),
        keywords: Mapping[str, Any] | None = None,
    ) -> Any:
        keywords = keywords or {}
        if function is torch.ops.aten.nonzero.default:
            result = _all_indices(*arguments)
        else:
            result = function(*arguments, **keywords)
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.flops += count(*arguments, **keywords, out_val=result)
        known = {_key(leaf) for leaf in tree_leaves((arguments, keywords)) if _is_tensor(leaf)}
        for leaf in tree_leaves(result):
            if _is_tensor(leaf) and _key(leaf) not in known:
                self._track(leaf)
        return result

    def _track(self, tensor: Tensor) -> None:
        storage, key = tensor.untyped_storage(), _key(tensor)
        if key in self._storages:
            return
        size = storage.nbytes()
        self.alive += size
        self.peak = max(self.peak, self.alive)
        self._storages[key] = weakref.ref(storage, functools.partial(self._gone, key, size))

    def _gone(self, key: int, size: int, _: Any) -> None:
        self.alive -= size
        del self._storages[key]


@contextlib.contextmanager
def _as_on_a_device(meter: _Meter) -> Iterator[None]:
    """What the meta device lacks: fused attention, and a precision of its own choice.

    Attention keeps queries, keys, values and result, as kernels do; its mask costs nothing.
    Replaced by name: PyTorch suspends its own way, `TorchFunctionMode`, during backward passes, and
    checkpoints would find another function there.
    """

    def count(flops: float) -> None:
        meter.flops += flops

    def attend(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
        result: Tensor = _Attention.apply(count, query, key, value)  # type: ignore[no-untyped-call]
        return result

    def autocast(device_type: str, *arguments: Any, **keywords: Any) -> Any:
        if device_type == META.type:
            return contextlib.nullcontext()
        return choose(device_type, *arguments, **keywords)

    choose = torch.autocast
    with _replaced(functional, "scaled_dot_product_attention", attend):
        with _replaced(torch, "autocast", autocast):
            yield


@contextlib.contextmanager
def _replaced(module: Any, name: str, function: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, original)


class _Attention(torch.autograd.Function):
    """The shapes of attention and of its gradient, and the operations of a fused kernel."""

    @staticmethod
    def forward(
        ctx: Any,
        count: Callable[[float], None],
        query: Float[Tensor, "*batch queries channels"],
        key: Float[Tensor, "*batch keys channels"],
        value: Float[Tensor, "*batch keys out"],
    ) -> Float[Tensor, "*batch queries out"]:
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.count = count
        ctx.save_for_backward(query, key, value, result)
        # Two products: queries with keys, and weights with values.
        count(2.0 * query[..., 0].numel() * key.shape[-2] * (key.shape[-1] + value.shape[-1]))
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        query, key, value, _ = ctx.saved_tensors
        # Five products: the weights are computed again, then two for each factor of the two.
        size = 2.0 * query[..., 0].numel() * key.shape[-2]
        ctx.count(size * (3 * key.shape[-1] + 2 * value.shape[-1]))
        return None, torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _all_indices(mask: Tensor) -> Tensor:
    """As if everything were true: nothing on the meta device is known to be false."""
    return torch.empty(mask.numel(), mask.ndim, dtype=torch.long, device=mask.device)


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, Tensor)


def _key(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key
