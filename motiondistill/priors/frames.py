"""Videos as batches of images, for networks that know no time."""

from jaxtyping import Float
from torch import Tensor


def as_images(video: Float[Tensor, "B C F h w"]) -> Float[Tensor, "BF C h w"]:
    """All frames of all clips; the frames of one clip stand together."""
    return video.transpose(1, 2).flatten(0, 1)


def as_video(
    images: Float[Tensor, "BF C h w"], like: Float[Tensor, "B K F h w"]
) -> Float[Tensor, "B C F h w"]:
    """The clips that `as_images` took apart, as many and as long as those of `like`."""
    frames = images.reshape(len(like), like.shape[2], *images.shape[1:])
    return frames.transpose(1, 2).to(like)


def per_frame(
    values: Float[Tensor, "B ..."], like: Float[Tensor, "B K F h w"]
) -> Float[Tensor, "BF ..."]:
    """What belongs to a clip, once for each frame of `like` in the order of `as_images`."""
    return values.repeat_interleave(like.shape[2], dim=0)
