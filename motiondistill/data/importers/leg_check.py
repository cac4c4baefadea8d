"""Whether positions show a body at all, told by its legs."""

from pathlib import Path
from typing import Final

from jaxtyping import Float
from torch import Tensor

from motiondistill.data.directions import leg_length

# From hip to ankle, metres. Features come from one adult skeleton, whose legs are 0.8 m long;
# numbers without unit or mean make other lengths of it.
_SHORTEST: Final = 0.4
_LONGEST: Final = 1.2


def check_body(path: Path, joints: Float[Tensor, "frames joints 3"]) -> None:
    """Raises ValueError for legs without length. The unit may be any: it is scaled away."""
    if not leg_length(joints) > 0:
        raise ValueError(
            f"{path} must show a body, got legs of no length; check that its joints are in SMPL's "
            "order."
        )


def check_features(path: Path, joints: Float[Tensor, "frames joints 3"]) -> None:
    """Raises ValueError for joints that only normalised features make, or those of no person."""
    length = leg_length(joints)
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(
            f"{path} must hold features that are not normalised: legs of {_SHORTEST:g} to "
            f"{_LONGEST:g} m, got {length:.3g} m; multiply them by the standard deviations of "
            "their data set and add its means."
        )
