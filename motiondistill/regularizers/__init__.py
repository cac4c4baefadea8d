"""What a motion costs before any prior looks at it, in SI units; every cost is a mean over clips.

Each is differentiable wherever a motion can be, and has a finite gradient at rest.
"""

from motiondistill.regularizers.balance import balance as balance
from motiondistill.regularizers.balance import tilt as tilt
from motiondistill.regularizers.capsules import self_penetration as self_penetration
from motiondistill.regularizers.contact import foot_floating as foot_floating
from motiondistill.regularizers.contact import foot_sliding as foot_sliding
from motiondistill.regularizers.contact import ground_penetration as ground_penetration
from motiondistill.regularizers.joint_limits import joint_limits as joint_limits
from motiondistill.regularizers.key_frames import key_frame_error as key_frame_error
from motiondistill.regularizers.smoothness import angular_speed as angular_speed
from motiondistill.regularizers.smoothness import geodesic_acceleration as geodesic_acceleration
from motiondistill.regularizers.smoothness import geodesic_velocity as geodesic_velocity
from motiondistill.regularizers.smoothness import joint_acceleration as joint_acceleration
from motiondistill.regularizers.smoothness import rotation_6d as rotation_6d
from motiondistill.regularizers.statistics import pose_deviation as pose_deviation
