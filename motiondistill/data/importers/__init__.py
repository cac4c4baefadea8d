"""Motion capture of foreign formats in our terms, a file for each format."""

from motiondistill.data.importers.clip import CapturedClip
from motiondistill.data.importers.folder import read_folder, read_motion_capture

__all__ = ["CapturedClip", "read_folder", "read_motion_capture"]
