"""What the latent ablation keeps from one update to the next, and what each update tells."""

from dataclasses import dataclass, field
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.engine.gradients import broken
from motiondistill.engine.profile import timed

_LAYOUT: Final = 1  # of checkpoints


@final
class LatentState:
    """All that changes during a run; what a checkpoint holds."""

    def __init__(
        self, numbers: Float[Tensor, "views ..."], start: Float[Tensor, "views C f h w"]
    ) -> None:
        # In one piece, as those of a checkpoint are: sums in another order have other bits.
        self.numbers = nn.Parameter(_in_one_piece(numbers))
        """What stands for the clips; see `Space`."""
        self.start = _in_one_piece(start)
        """Latents at the outset."""
        self.step = 0
        self.held: Float[Tensor, "views C f h w"] | None = None
        """The target that several updates share, if they do."""
        # The paper's, with its usual averages: every number has a noisy gradient of its own.
        self.optimizer = torch.optim.Adam([self.numbers])

    @timed("optimise")
    def update(self, learning_rate: float, place: str) -> None:
        """One step of Adam along the gradient that the numbers have.

        Raises FloatingPointError, and changes nothing, for a gradient that is not finite.
        """
        assert self.numbers.grad is not None
        if not bool(self.numbers.grad.isfinite().all()):
            raise FloatingPointError(broken("the clips", {}, place))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.step += 1

    def to_tree(self) -> Any:
        """What a checkpoint holds."""
        return {
            "layout": _LAYOUT,
            "step": self.step,
            "numbers": self.numbers,
            "start": self.start,
            "held": self.held,
            "optimizer": self.optimizer.state_dict(),
        }

    @staticmethod
    def from_tree(saved: Any) -> "LatentState":
        """The state that gave this tree; raises ValueError for a tree of another layout."""
        if saved.get("layout") != _LAYOUT or "numbers" not in saved:
            raise ValueError(
                f"the checkpoint must be one of clips, of layout {_LAYOUT}, got layout "
                f"{saved.get('layout')}; start the run anew."
            )
        state = LatentState(saved["numbers"], saved["start"])
        state.step, state.held = saved["step"], saved["held"]
        state.optimizer.load_state_dict(saved["optimizer"])
        return state


@final
@dataclass(frozen=True)
class LatentStep:
    """One update, detached: what a caller logs, shows or saves."""

    index: int
    loss: Float[Tensor, ""]
    """Its gradient is what is asked for; its value means nothing."""
    terms: dict[str, Float[Tensor, ""]]
    target: Float[Tensor, "views C f h w"]
    """The latents that the prior asked for, before weight and shaping."""
    figures: dict[str, Float[Tensor, ""]]
    """The levels' mean log-SNR, the score's size and the guidance's scale."""
    gradients: dict[str, Float[Tensor, ""]] = field(default_factory=dict)
    """Root mean square of the gradient of what stands for the clips."""


def _in_one_piece(tensor: Float[Tensor, "views ..."]) -> Float[Tensor, "views ..."]:
    return tensor.detach().clone(memory_format=torch.contiguous_format)
