"""Motion capture of foreign formats in our terms, a file for each format."""

from motiondistill.data.importers.clip import CapturedClip
from motiondistill.data.importers.folder import look_through, read_folder, read_motion_capture

__all__ = ["CapturedClip", "look_through", "read_folder", "read_motion_capture"]
