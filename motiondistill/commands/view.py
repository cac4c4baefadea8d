"""`motiondistill view`: saved motions in the browser, side by side."""

import argparse
from pathlib import Path

from motiondistill.build import make_body
from motiondistill.build_film import recorded_body
from motiondistill.build_motion import read_motion
from motiondistill.motion.motion_file import MotionFile
from motiondistill.schema import BodyConfig
from motiondistill.viewer.clips import Clip, clip_of
from motiondistill.viewer.stage import Stage

_NAME = 60


def run(options: argparse.Namespace) -> int:
    """Shows the motions until Ctrl-C; 0."""
    clips = [_clip(path) for path in options.files]
    stage = Stage(options.host, options.port)
    stage.show(clips)
    print(f"{stage.address}  (Ctrl-C ends it)", flush=True)
    try:
        stage.run()
    except KeyboardInterrupt:
        stage.stop()
    return 0


def _clip(path: Path) -> Clip:
    file = read_motion("FILE", path)
    body = make_body(BodyConfig(**recorded_body(file)["body"]))
    return clip_of(_name(path, file), file.motion, body)


def _name(path: Path, file: MotionFile) -> str:
    """The prompt, or the file's name for motions that have none."""
    name = file.prompt or path.stem
    return name if len(name) <= _NAME else f"{name[:_NAME]}..."
