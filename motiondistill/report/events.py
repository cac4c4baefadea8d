"""What a run records for TensorBoard: figures of every update, and now and then how it looks.

Videos are animated GIFs, which TensorBoard shows as images: its own way needs moviepy.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading
from motiondistill.engine.stages import State, Step
from motiondistill.engine.starts import Problem
from motiondistill.latents.state import LatentStep
from motiondistill.render.skeleton_map import skeleton_map
from motiondistill.report.film_files import side_by_side
from motiondistill.report.media import to_bytes


@final
@dataclass(frozen=True)
class Looks:
    """Pictures and histograms of a run, every so many updates.

    They change nothing of it, and draw nothing by chance.
    """

    problem: Problem
    state: State
    every: int
    """0 is never."""

    def due(self, step: int) -> bool:
        """Whether the update that ends with so many steps is one to look at."""
        return self.every > 0 and step % self.every == 0

    @torch.no_grad()
    def videos(self, taken: Step) -> dict[str, Float[Tensor, "frames 3 height width"]]:
        """What was rendered, what the prior asked for, and the skeleton after the update.

        The views are side by side in one picture; the skeleton is seen from the front.
        """
        shown = {}
        if taken.video is not None:
            shown["rendered"] = side_by_side(taken.video)
        if taken.target is not None:
            # One by one: several views may be more than there is memory for beside the gradient.
            decoded = [self.problem.prior.decode(view[None]) for view in taken.target]
            shown["denoised"] = side_by_side(torch.cat(decoded))
        camera = self.problem.cameras(heading(taken.motion)[None])
        mesh = self.problem.body(taken.motion)
        shown["skeleton"] = skeleton_map(mesh, taken.motion, camera)[0]
        return shown


@contextlib.contextmanager
def events(
    folder: Path, first: int, looks: Looks | None = None
) -> Iterator[Callable[[int, Step | LatentStep], None]]:
    """A function that writes what is to be seen of a step; `first` steps were taken before."""
    from torch.utils.tensorboard import SummaryWriter

    # A killed run may have recorded steps after its last checkpoint; they are superseded.
    writer: Any = SummaryWriter(str(folder), purge_step=first + 1)

    def record(step: int, taken: Step | LatentStep) -> None:
        writer.add_scalar("loss", taken.loss.item(), step)
        groups = {"terms": taken.terms, "score": taken.figures, "gradients": taken.gradients}
        for group, figures in groups.items():
            for name, figure in figures.items():
                writer.add_scalar(f"{group}/{name}", figure.item(), step)
        if looks is None or not looks.due(step):
            return
        assert isinstance(taken, Step)  # looks are those of motions
        for name, video in looks.videos(taken).items():
            _add_video(writer, f"video/{name}", video, taken.motion.fps, step)
        for name, parameter in looks.state.fields.named_parameters():
            writer.add_histogram(f"parameters/{name}", parameter.detach(), step)
            if parameter.grad is not None:
                writer.add_histogram(f"gradients/{name}", parameter.grad, step)

    try:
        yield record
    finally:
        writer.close()


def _add_video(
    writer: Any, tag: str, video: Float[Tensor, "frames 3 height width"], fps: float, step: int
) -> None:
    import imageio.v3
    from tensorboard.compat.proto.summary_pb2 import Summary

    frames = to_bytes(video).numpy()
    encoded = imageio.v3.imwrite(
        "<bytes>", frames, extension=".gif", plugin="pillow", duration=1000 / fps, loop=0
    )
    height, width = video.shape[-2:]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
    writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
