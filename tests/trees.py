"""Trees of tensors and values, such as checkpoints hold, compared leaf by leaf."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def same(first: Any, second: Any, tolerance: float = 0.0) -> bool:
    """Whether the leaves are alike: tensors up to the tolerance, bit for bit without one."""
    ours, theirs = list(_leaves(first)), list(_leaves(second))
    assert any(isinstance(leaf, Tensor) for leaf in ours)
    return len(ours) == len(theirs) and all(
        torch.allclose(a, b, rtol=tolerance, atol=tolerance) if isinstance(a, Tensor) else a == b
        for a, b in zip(ours, theirs, strict=True)
    )


def _leaves(tree: Any) -> Iterator[Any]:
    match tree:
        case dict():
            for value in tree.values():
                yield from _leaves(value)
        case list() | tuple():
            for value in tree:
                yield from _leaves(value)
        case _:
            yield tree
