"""`motiondistill view`: saved motions in the browser, side by side."""

import argparse
import functools

from motiondistill.building.motion import coarse_body, motion_name, read_motion
from motiondistill.building.objects import make_body
from motiondistill.commands.session import terminal
from motiondistill.viewer.clips import clip_of, numbered
from motiondistill.viewer.stage import Stage

_NAME = 60


def run(options: argparse.Namespace) -> int:
    """Shows the motions until Ctrl-C; 0."""
    if not 0 < options.port < 2**16:
        raise ValueError(f"`--port` must be between 1 and 65535, got {options.port}; name another.")
    bodies, motions = functools.cache(make_body), []
    with terminal():
        for path in options.files:
            file = read_motion("FILE", path)
            name = file.prompt or motion_name(path)
            name = name if len(name) <= _NAME else f"{name[:_NAME]}..."
            motions.append((name, file.motion, bodies(coarse_body(file))))
        names = numbered([name for name, _, _ in motions])
        clips = [
            clip_of(name, motion, body)
            for name, (_, motion, body) in zip(names, motions, strict=True)
        ]
        stage = Stage(options.host, options.port)
        stage.show(clips)
        print(f"{stage.address}  (Ctrl-C ends it)", flush=True)
        try:
            stage.run()
        except KeyboardInterrupt:
            stage.stop()
    return 0
