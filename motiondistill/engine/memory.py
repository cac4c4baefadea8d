"""What score distillation keeps from one update to the next."""

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from motiondistill.priors.base import Prior
from motiondistill.score.adaptation import Adaptation
from motiondistill.structures import Motion


@final
@dataclass(frozen=True)
class Held:
    """A target that several updates share, and the heading against which its views were taken."""

    target: Float[Tensor, "views C f h w"]
    heading: Float[Tensor, ""]


@final
@dataclass(frozen=True)
class Memory:
    """What the stage keeps for one critic from one update to the next; a part of checkpoints."""

    held: Held | None = None
    start: Motion | None = None
    """The motion before the first update, for objectives that compare."""
    adaptation: Adaptation | None = None
    adapted: Prior | None = None
    """The prior with that adaptation; made anew after a restart."""

    def to_tree(self) -> Any:
        """What a checkpoint holds."""
        learned = self.adaptation
        return {
            "held": None if self.held is None else vars(self.held),
            "start": None if self.start is None else vars(self.start),
            "adaptation": None
            if learned is None
            else {
                "parameters": list(learned.parameters),
                "optimizer": learned.optimizer.state_dict(),
            },
        }

    @staticmethod
    def from_tree(saved: Any) -> "Memory":
        """The memory that gave this tree."""
        adaptation = None
        if saved["adaptation"] is not None:
            given = [nn.Parameter(part) for part in saved["adaptation"]["parameters"]]
            adaptation = Adaptation(nn.ParameterList(given))
            adaptation.optimizer.load_state_dict(saved["adaptation"]["optimizer"])
        return Memory(
            held=None if saved["held"] is None else Held(**saved["held"]),
            start=None if saved["start"] is None else Motion(**saved["start"]),
            adaptation=adaptation,
        )
