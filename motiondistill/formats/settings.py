"""What can be said of exported files."""

from dataclasses import dataclass

from motiondistill.formats.bvh import RestPose, Unit


@dataclass(frozen=True)
class ExportSettings:
    """What is written."""

    # Frames per second of BVH, GLB and SMPL files, between which the motion is interpolated; null
    # takes the motion's own. AMASS files have 30 at least, those of features and joints their own.
    fps: float | None = None
    # Of BVH.
    unit: Unit = "cm"
    # Of BVH: the pose of zero rotations, arms level or at 45 degrees.
    rest_pose: RestPose = "t_pose"
    # Of GLB: bones that move a vertex at most; null keeps all, of which some programs read four.
    influences: int | None = None
    # Of meshes: which frame of the motion, from 0 on.
    frame: int = 0
