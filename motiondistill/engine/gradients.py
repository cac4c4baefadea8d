"""Gradients on their way from the loss to the fields: how large they are, and where they break."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

# Parameters that an error lists.
_NAMED = 3


@final
@dataclass(frozen=True)
class Watched:
    """What `watch` sees of one backward pass."""

    place: str
    """Words for errors: which update it is."""
    sizes: dict[str, Float[Tensor, ""]] = field(default_factory=dict)
    """Root mean squares by name, in the order in which the gradient came by."""


def watch(place: str, **tensors: Shaped[Tensor, "..."]) -> Watched:
    """Notes the root mean square of the gradient at each of these tensors when it comes by.

    Nothing is changed of the gradient. What needs none is left out.
    """
    watched = Watched(place)
    for name, tensor in tensors.items():
        if tensor.requires_grad:
            hook = functools.partial(_note, watched.sizes, name)
            tensor.register_hook(hook)  # type: ignore[no-untyped-call]
    return watched


def clip(fields: nn.ModuleList, most: float | None, watched: Watched | None = None) -> None:
    """Scales down the gradient of each field whose norm is above `most`; None lets all pass.

    Raises FloatingPointError for a gradient that is not finite, before any is changed: it names the
    parameters, the first place on the way where it was not, and the update.
    """
    gradients = [[p.grad for p in own.parameters() if p.grad is not None] for own in fields]
    norms = [torch.nn.utils.get_total_norm(own) for own in gradients]
    if not bool(torch.stack(norms).isfinite().all()):
        raise FloatingPointError(_told(fields, watched))
    if most is None:
        return
    for own, norm in zip(fields, norms, strict=True):
        torch.nn.utils.clip_grads_with_norm_(own.parameters(), most, norm)


def _note(sizes: dict[str, Float[Tensor, ""]], name: str, gradient: Shaped[Tensor, "..."]) -> None:
    sizes[name] = gradient.detach().square().mean().sqrt()


def broken(where: str, sizes: dict[str, Float[Tensor, ""]], place: str) -> str:
    """What to say of a gradient that is not finite `where` it was looked at.

    `sizes` are those on the way there, the first place first, and `place` is the update.
    """
    first = next((name for name, size in sizes.items() if not _finite(size)), None)
    since = f", and from the {first} on," if first else ""
    then = f" at {place}" if place else ""
    return (
        f"The gradient must be finite, got others at {where}{since}{then}; lower the learning "
        "rate or the guidance."
    )


def _told(fields: nn.ModuleList, watched: Watched | None) -> str:
    named = fields.named_parameters()
    bad = [name for name, each in named if each.grad is not None and not _finite(each.grad)]
    listed = _listed(f"`{name}`" for name in bad) or "the norm of all parameters together"
    seen = watched or Watched("")
    return broken(listed, seen.sizes, seen.place)


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _finite(tensor: Shaped[Tensor, "..."]) -> bool:
    return bool(tensor.isfinite().all())
