"""SMPL-X, from the user's own licensed file (Pavlakos et al. 2019, Expressive Body Capture).

The `smplx` package shapes the body. Posing follows its equations, and tests hold it to
`smplx.SMPLX`; but the package forms a 4x4 matrix for every vertex and frame and shapes the body
anew in every call, which is what most of its time goes to.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.body.skeleton import (
    DETAILED_PARENTS,
    HOLDERS,
    JAW,
    NUM_DETAILED,
    detailed_rotations,
    in_detail,
    is_detailed,
    skeleton_kinematics,
)
from motiondistill.body.skinning import part_labels
from motiondistill.body.smplx_file import EYES, NUM_SMPLX_JOINTS, read_model
from motiondistill.body.t_pose import rest_positions, t_pose_rotations
from motiondistill.structures import NUM_JOINTS, Mesh, Motion

# Our joints in detail among SMPL-X's: all but the eyes, which stay at rest.
_OURS = [joint for joint in range(NUM_SMPLX_JOINTS) if joint not in EYES]


@final
@dataclass(frozen=True)
class SmplxBody(Body):
    """SMPL-X of one shape and expression.

    With `J_j` the template's joints and `T_j` the world rotations that take the template to the
    T-pose, vertex v goes to `sum_j w_vj (G_j T_j (v + c(R) - J_j) + p_j)`, where `G_j, p_j` are a
    joint's world rotation and position and `c` are the pose corrections, linear in the rotations
    relative to the parent as SMPL-X counts them: `T_parent^T R_j T_j`.
    """

    name: str
    rest_joints: Float[Tensor, "22 3"]
    faces: Int[Tensor, "triangles 3"]
    parts: Int[Tensor, " vertices"]
    shape: Float[Tensor, " shape"]
    joints: Float[Tensor, "53 3"]
    """All joints of the template, where SMPL-X has them."""
    skeleton: Float[Tensor, "53 3"]
    """The same in the T-pose, with the pelvis where SMPL-X has it."""
    offset: Float[Tensor, " 3"]
    """From there to our place: the pelvis above the origin, the soles on the floor."""
    t_pose: Float[Tensor, "53 3 3"]
    template: Float[Tensor, "3 vertices"]
    corrections: Float[Tensor, "features 3*vertices"]
    weights: Float[Tensor, "53 vertices"]
    coarse_weights: Float[Tensor, "22 vertices"]
    """Weights where the 22 joints carry the others along."""
    uv: Float[Tensor, "texcoords 2"] | None
    uv_faces: Int[Tensor, "triangles 3"] | None
    expression: Float[Tensor, " expression"]

    def to(
        self, *, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> "SmplxBody":
        """The same body in another precision or on another device."""

        def moved(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.to(device=device, dtype=dtype if value.is_floating_point() else None)

        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return SmplxBody(**{name: moved(value) for name, value in fields.items()})

    def __call__(self, motion: Motion) -> Mesh:
        """The posed body in the world, batched over all leading dimensions of the motion."""
        detailed = is_detailed(motion)
        rotations = detailed_rotations(motion) if detailed else motion.rotations
        weights = self.weights if detailed else self.coarse_weights
        count = len(weights)
        world, positions = skeleton_kinematics(rotations, self.skeleton[:count])
        turned = world @ self.t_pose[:count]
        shift = positions - (turned @ self.joints[:count, :, None])[..., 0]
        frames = torch.cat([turned, shift[..., None]], -1)  # 3x4 matrices for template vertices
        blended = frames.flatten(-2).transpose(-1, -2) @ weights
        blended = blended.reshape(*blended.shape[:-2], 3, 4, -1)
        points = self._corrected(self._as_smplx(rotations))
        vertices = (blended[..., :3, :] * points[..., None, :, :]).sum(-2) + blended[..., 3, :]
        # Weights of one vertex sum to 1 only in single precision: what moves all comes last.
        place = (motion.translation + self.offset)[..., None, :]
        return Mesh(
            vertices.transpose(-1, -2) + place,
            positions[..., :NUM_JOINTS, :] + place,
            self.faces,
            self.parts,
            self.uv,
            self.uv_faces,
        )

    def to_smplx(
        self, motion: Motion
    ) -> tuple[Float[Tensor, "*batch frames 55 3 3"], Float[Tensor, "*batch frames 3"]]:
        """What `smplx` takes for this motion: rotations of its 55 joints, and its `transl`."""
        ours = self._as_smplx(detailed_rotations(motion))
        eyes = torch.eye(3).to(ours).expand(*ours.shape[:-3], len(EYES), 3, 3)
        rotations = torch.cat([ours[..., : JAW + 1, :, :], eyes, ours[..., JAW + 1 :, :, :]], -3)
        return rotations, motion.translation + self.offset

    def from_smplx(
        self,
        rotations: Float[Tensor, "*batch frames 55 3 3"],
        transl: Float[Tensor, "*batch frames 3"],
        fps: float,
    ) -> Motion:
        """The motion that poses this body as `smplx` would be; the eyes' rotations are dropped."""
        before = self._before(NUM_DETAILED)
        ours = (
            before.transpose(-1, -2) @ rotations[..., _OURS, :, :] @ self.t_pose.transpose(-1, -2)
        )
        return Motion(
            ours[..., :NUM_JOINTS, :, :],
            transl - self.offset,
            fps,
            hands=ours[..., JAW + 1 :, :, :],
            jaw=ours[..., JAW, :, :],
        )

    def _before(self, count: int) -> Float[Tensor, "joints 3 3"]:
        """`T_parent^T` for the first joints; the pelvis has no parent."""
        parents = list(DETAILED_PARENTS[1:count])
        eye = torch.eye(3).to(self.t_pose)
        return torch.cat([eye[None], self.t_pose[parents].transpose(-1, -2)])

    def _as_smplx(
        self, rotations: Float[Tensor, "*batch joints 3 3"]
    ) -> Float[Tensor, "*batch joints 3 3"]:
        """Rotations as SMPL-X counts them, from its template instead of the T-pose."""
        count = rotations.shape[-3]
        return self._before(count) @ rotations @ self.t_pose[:count]

    def _corrected(
        self, rotations: Float[Tensor, "*batch joints 3 3"]
    ) -> Float[Tensor, "*batch 3 vertices"]:
        """The template with the pose corrections; joints that are not given are at rest."""
        feature = (rotations[..., 1:, :, :] - torch.eye(3).to(rotations)).flatten(-3)
        offsets = feature @ self.corrections[: feature.shape[-1]]
        return self.template + offsets.reshape(*offsets.shape[:-1], 3, -1)


def smplx_body(
    path: Path,
    *,
    betas: Sequence[float] = (),
    expression: Sequence[float] = (),
    dtype: torch.dtype = torch.float32,
) -> SmplxBody:
    """SMPL-X from a model file (see `smplx_file.find_model`): 10,475 vertices.

    Raises ImportError without the `smplx` package, and ValueError for what is no SMPL-X model.

    Args:
        path: The user's `SMPLX_*.npz` or `.pkl`.
        betas: Shape coefficients, from the first on; the others are zero.
        expression: Expression coefficients, likewise.
        dtype: Precision of the body; it is always built in float64.
    """
    model = read_model(path)
    template, regressed = shaped(model, betas, expression)
    weights, joints = torch.from_numpy(model["weights"]).double(), regressed[_OURS]
    # The eyes move with the head, which is their parent.
    weights[:, HOLDERS[JAW]] += weights[:, list(EYES)].sum(1)
    weights = weights[:, _OURS]
    holders = torch.tensor(HOLDERS)
    coarse = torch.zeros(len(weights), NUM_JOINTS).to(weights).index_add(1, holders, weights)
    t_pose = in_detail(t_pose_rotations(joints[:NUM_JOINTS]))
    posedirs = torch.from_numpy(model["posedirs"]).double()
    ours = posedirs.reshape(*posedirs.shape[:-1], -1, 9)[..., [joint - 1 for joint in _OURS[1:]], :]
    skeleton = rest_positions(joints, t_pose, DETAILED_PARENTS)
    body = SmplxBody(
        name=f"smplx-{path.stem.removeprefix('SMPLX_').lower()}",
        rest_joints=skeleton[:NUM_JOINTS],  # until it is placed
        faces=torch.from_numpy(model["f"]),
        parts=part_labels(template, coarse, joints[:NUM_JOINTS]),
        shape=torch.tensor(list(betas), dtype=torch.float64),
        joints=joints,
        skeleton=skeleton,
        offset=torch.zeros(3, dtype=torch.float64),
        t_pose=t_pose,
        template=template.T.contiguous(),
        corrections=ours.permute(2, 3, 1, 0).flatten(2).flatten(0, 1).contiguous(),
        weights=weights.T.contiguous(),
        coarse_weights=coarse.T.contiguous(),
        uv=torch.from_numpy(model["vt"]).double() if "vt" in model else None,
        uv_faces=torch.from_numpy(model["ft"]) if "ft" in model else None,
        expression=torch.tensor(list(expression), dtype=torch.float64),
    )
    return _placed(body).to(dtype=dtype)


def _placed(body: SmplxBody) -> SmplxBody:
    """The body in the T-pose with its pelvis above the origin and its soles on the floor."""
    rest = Motion(
        torch.eye(3, dtype=torch.float64).expand(1, NUM_JOINTS, 3, 3),
        torch.zeros(1, 3, dtype=torch.float64),
        1.0,
    )
    lowest = body(rest).vertices[..., 1].min()
    x, _, z = body.skeleton[0]
    offset = -torch.stack([x, lowest, z])
    return dataclasses.replace(body, offset=offset, rest_joints=body.rest_joints + offset)


def shaped(
    model: dict[str, NDArray[Any]], betas: Sequence[float], expression: Sequence[float]
) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "joints 3"]]:
    """Template vertices and joints of the shape, by the `smplx` package."""
    try:
        from smplx.lbs import blend_shapes, vertices2joints
    except ImportError as error:
        raise ImportError(
            "`body.name=smplx` needs the `smplx` package; run `pip install 'smplx>=0.1.28,<0.2'`."
        ) from error
    directions = model["shapedirs"]
    # Released files hold 300 shape and 100 expression directions, older ones 10 and 10.
    first = 300 if directions.shape[-1] >= 400 else 10
    parts = []
    for name, values, directions_of in (
        ("betas", betas, directions[..., :first]),
        ("expression", expression, directions[..., first:]),
    ):
        if len(values) > directions_of.shape[-1]:
            raise ValueError(
                f"`{name}` must hold at most {directions_of.shape[-1]} numbers for this model, "
                f"got {len(values)}; leave the rest out."
            )
        parts.append(directions_of[..., : len(values)])
    coefficients = torch.tensor([[*betas, *expression]], dtype=torch.float64)
    used = torch.from_numpy(np.concatenate(parts, -1)).double()
    vertices = torch.from_numpy(model["v_template"]).double() + blend_shapes(coefficients, used)
    joints = vertices2joints(torch.from_numpy(model["J_regressor"]).double(), vertices)
    return vertices[0], joints[0]
