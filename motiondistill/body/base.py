"""What every body is."""

import abc

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motiondistill.structures import Mesh, Motion


class Body(abc.ABC):
    """A human body of fixed shape, ready to be posed.

    Its rest pose, all rotations identities, is the T-pose of `skeleton.t_pose_rotations`, with the
    pelvis above the origin and the soles on the floor y = 0. Thus one motion is one pose on every
    body: joints turn alike against the T-pose, and limbs point alike.
    """

    name: str
    rest_joints: Float[Tensor, "joints 3"]
    """T-pose positions of the 22 joints in the world, metres."""
    faces: Int[Tensor, "triangles 3"]
    """Vertex indices, counter-clockwise seen from outside."""
    parts: Int[Tensor, " vertices"]
    """For every vertex, its index in `PART_NAMES`."""
    shape: Float[Tensor, " shape"]
    """The body's own shape parameters; empty for its average."""
    expression: Float[Tensor, " expression"]
    """Parameters of its face; empty for a neutral one, and for bodies that have no other."""

    @abc.abstractmethod
    def __call__(self, motion: Motion) -> Mesh:
        """The posed body in the world, batched over all leading dimensions of the motion.

        Differentiable in all that the motion holds; hands and jaw cost only where they are given.
        """

    @abc.abstractmethod
    def to(self, *, dtype: torch.dtype | None = None, device: torch.device | None = None) -> "Body":
        """The same body in another precision or on another device."""
