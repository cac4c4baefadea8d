"""Networks that take memory only while they are needed."""

import gc
from collections.abc import Callable
from typing import Any, final

import torch


@final
class OnDemand:
    """Stands for a network: the first use of it loads it, `release` lets go of its memory.

    Text encoders of video models are often larger than their denoisers, and have nothing to do once
    the prompts are embedded. Whoever keeps the network itself, and not this, keeps its memory.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._network: Any = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        """What the network returns for these arguments."""
        return self.network(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_load", "_network"):
            raise AttributeError(name)  # a copy that has not been filled yet must not load
        return getattr(self.network, name)

    @property
    def network(self) -> Any:
        """The network, loaded if it is not."""
        if self._network is None:
            self._network = self._load()
        return self._network

    @property
    def loaded(self) -> bool:
        """Whether the network takes memory now."""
        return self._network is not None

    def release(self) -> None:
        """Lets go of the network; the next use loads it again."""
        if self._network is None:
            return
        self._network = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
