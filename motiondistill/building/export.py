"""Motions as files of other programs: what `motiondistill export` writes, by the formats' names."""

import dataclasses
from pathlib import Path
from typing import Final, Literal, assert_never

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.body.base import Body
from motiondistill.body.skeleton import is_detailed
from motiondistill.body.skinning import SkinnedBody
from motiondistill.body.smplx import SmplxBody
from motiondistill.data.importers.smpl_skeletons import SMPL, SmplSkeleton
from motiondistill.formats.amass import write_amass, write_smplh
from motiondistill.formats.bvh import write_bvh
from motiondistill.formats.glb import write_glb
from motiondistill.formats.humanml import HUMANML_FPS, write_humanml
from motiondistill.formats.joints import JOINTS_FILE_FPS, write_joints
from motiondistill.formats.mesh import write_obj, write_ply
from motiondistill.formats.motion272 import write_motion272
from motiondistill.formats.names import ExportFormat
from motiondistill.formats.rest_pose import at_rate, on_skeleton
from motiondistill.formats.settings import ExportSettings
from motiondistill.formats.smpl import skeleton_of
from motiondistill.formats.smplx_params import write_smplx
from motiondistill.kinematics import forward_kinematics
from motiondistill.structures import Mesh, Motion

_ENDINGS: Final[dict[ExportFormat, tuple[str, ...]]] = {
    "bvh": (".bvh",),
    "glb": (".glb",),
    "amass": ("_amass.npz", "_smplh.npz"),
    "smplx": ("_smplx.npz",),
    "humanml": ("_humanml.npy",),
    "272": ("_272.npy",),
    "joints": ("_joints.npy",),
    "obj": (".obj",),
    "ply": (".ply",),
}


def export_paths(kind: ExportFormat, folder: Path, name: str) -> tuple[Path, ...]:
    """The files of one format."""
    return tuple(folder / f"{name}{ending}" for ending in _ENDINGS[kind])


@torch.no_grad()
def write_export(
    kind: ExportFormat,
    paths: tuple[Path, ...],
    motion: Motion,
    body: Body,
    settings: ExportSettings,
    prompt: str = "",
) -> None:
    """Writes the motion of the body as one format; each file whole or not at all.

    Files of SMPL's family, and features, show the motion on the average bodies of these, or on the
    user's own SMPL-X; BVH, GLB, joints and meshes show the body.

    Raises ValueError for what the format cannot hold.
    """
    timed = at_rate(motion, settings.fps or motion.fps)
    match kind:
        case "bvh":
            rest_joints = detailed_rest(body) if is_detailed(motion) else body.rest_joints
            write_bvh(paths[0], timed, rest_joints, unit=settings.unit, rest=settings.rest_pose)
        case "glb":
            write_glb(paths[0], timed, body, prompt=prompt, max_influences=settings.influences)
        case "amass":
            write_amass(paths[0], *_of_smplx(timed, body), _numbers(body, "shape"))
            write_smplh(paths[1], on_skeleton(timed, body.rest_joints, SMPL.rest_joints()))
        case "smplx":
            shape, expression = _numbers(body, "shape"), _numbers(body, "expression")
            write_smplx(paths[0], *_of_smplx(timed, body), shape, expression)
        case "humanml":
            write_humanml(paths[0], _smpl_joints(at_rate(motion, HUMANML_FPS), body))
        case "272":
            write_motion272(paths[0], on_skeleton(motion, body.rest_joints, SMPL.rest_joints()))
        case "joints":
            write_joints(paths[0], body(_bare(at_rate(motion, JOINTS_FILE_FPS))).joints)
        case "obj":
            mesh = _frame(motion, body, settings.frame)
            write_obj(paths[0], mesh.vertices[0], mesh.faces, mesh.uv, mesh.uv_faces)
        case "ply":
            mesh = _frame(motion, body, settings.frame)
            write_ply(paths[0], mesh.vertices[0], mesh.faces)
        case _:
            assert_never(kind)


def detailed_rest(body: Body) -> Float[Tensor, "53 3"]:
    """The T-pose joints of a body that has hands and a jaw, in the order of `DETAILED_NAMES`."""
    match body:
        case SmplxBody():
            return body.skeleton + body.offset
        case SkinnedBody(detail=detail) if detail is not None:
            return detail.rest_joints
        case _:
            raise ValueError(
                f"`FILE` must have neither hands nor a jaw for the body {body.name!r}, which has "
                "none; take body.name=anny."
            )


def _of_smplx(motion: Motion, body: Body) -> tuple[Motion, SmplSkeleton]:
    """The motion on SMPL-X's skeleton: the user's own where it is the body, else the average."""
    skeleton = skeleton_of(body)
    return on_skeleton(motion, body.rest_joints, skeleton.rest_joints()), skeleton


def _numbers(body: Body, name: Literal["shape", "expression"]) -> tuple[float, ...]:
    """SMPL-X's coefficients; those of other bodies mean nothing to it."""
    if not isinstance(body, SmplxBody):
        return ()
    values: Tensor = getattr(body, name)
    return tuple(values.tolist())


def _smpl_joints(motion: Motion, body: Body) -> Float[Tensor, "frames 22 3"]:
    """The joints of SMPL's average skeleton in the body's motion."""
    rest_joints = SMPL.rest_joints()
    moved = on_skeleton(motion, body.rest_joints, rest_joints)
    _, joints = forward_kinematics(moved.rotations, rest_joints)
    return joints + moved.translation[:, None]


def _bare(motion: Motion) -> Motion:
    """Without hands and jaw, which do not move the 22 joints."""
    return dataclasses.replace(motion, hands=None, jaw=None)


def _frame(motion: Motion, body: Body, frame: int) -> Mesh:
    if frame >= motion.num_frames:
        raise ValueError(
            f"`output.frame` must be below {motion.num_frames}, the motion's frames, got {frame}; "
            "frames count from 0."
        )
    return body(motion.frames(slice(frame, frame + 1)))
