"""Several processes that share the views of an update, as `torchrun` starts them.

All of them hold the same state and make the same draws; each evaluates some parts of the views, and
what the parts ask for is summed. Alone, a process is the first of one, and nothing here does
anything. Every function but `rank`, `size` and `own` must be called by all processes alike.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, distributed

Thing = TypeVar("Thing")


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within its `with`, the processes that were started together know each other.

    They speak by gloo about what lies on the CPU. Where each has a CUDA device of its own, that is
    what the device `cuda` means, and they speak by nccl about what lies there; more processes than
    devices share the first one, and speak by gloo.
    """
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        yield
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    cuda = here <= torch.cuda.device_count()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", os.environ["RANK"])))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """This process' number; the first, 0, writes and speaks for all."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def own(parts: Sequence[Thing]) -> Sequence[Thing]:
    """Of parts that are dealt out in turn, this process' own: those at rank, rank + size, ..."""
    return parts[rank() :: size()]


def summed(tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The sum of all processes' tensors, the same bits in each; no gradient history."""
    if size() == 1:
        return tensor.detach()
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def follow_first(tensors: Iterable[Tensor]) -> None:
    """Overwrites the tensors with the first process', in place.

    They are equal as long as all processes round alike; different processors need not.
    """
    if size() > 1:
        for tensor in tensors:
            distributed.broadcast(tensor.data, 0)


def shared(value: Any) -> Any:
    """The first process' value; the others' is not looked at."""
    if size() == 1:
        return value
    values = [value]
    distributed.broadcast_object_list(values, 0)
    return values[0]


def any_of(flag: bool) -> bool:
    """Whether it is true in any of the processes."""
    return bool(summed(torch.tensor(float(flag))) > 0)
