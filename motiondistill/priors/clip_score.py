"""How well the frames of a video fit a prompt by CLIP, from weights that the user has.

CLIP score (Hessel et al., EMNLP 2021, without its factor of 2.5 and its clamp), as the field gives
it for videos: 100 times the mean over frames of the cosine of image and text. CLIP sees each frame
alone: it judges what is shown, not how it moves.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.priors.text import padded_tokens
from motiondistill.priors.weights import Part, load_network, load_tokenizer, read_json

# Frames that are looked at in one go.
_BATCH: Final = 16
_CHANNELS: Final = 3


@final
@dataclass(frozen=True)
class ClipScorer:
    """A CLIP with what its images must look like."""

    model: Any
    tokenizer: Any
    size: int
    """Side of its square images, pixels."""
    mean: Float[Tensor, "3 1 1"]
    std: Float[Tensor, "3 1 1"]

    @torch.no_grad()
    def __call__(self, video: Float[Tensor, "frames 3 height width"], prompt: str) -> float:
        """100 times the mean cosine over frames, sRGB in [0, 1]; warns where it cuts the prompt."""
        text = self._text(prompt)
        cosines = [
            torch.nn.functional.cosine_similarity(self._images(batch), text, dim=-1)
            for batch in torch.split(video, _BATCH)
        ]
        return 100 * float(torch.cat(cosines).mean())

    def prepared(
        self, video: Float[Tensor, "frames 3 height width"]
    ) -> Float[Tensor, "frames 3 size size"]:
        """The frames as CLIP reads them: the shorter side scaled, the middle cut out, normalised.

        In 8 bits, as its own preprocessing keeps images.
        """
        height, width = video.shape[-2:]
        shorter = min(height, width)
        sides = (height * self.size // shorter, width * self.size // shorter)
        scaled = torch.nn.functional.interpolate(
            video, sides, mode="bicubic", antialias=True, align_corners=False
        )
        scaled = (scaled.clamp(0, 1) * 255).round() / 255
        top, left = ((side - self.size) // 2 for side in sides)
        cut = scaled[..., top : top + self.size, left : left + self.size]
        return (cut - self.mean) / self.std

    def _images(
        self, video: Float[Tensor, "frames 3 height width"]
    ) -> Float[Tensor, "frames features"]:
        seen = self.model.vision_model(pixel_values=self.prepared(video)).pooler_output
        return torch.as_tensor(self.model.visual_projection(seen))

    def _text(self, prompt: str) -> Float[Tensor, "1 features"]:
        length = self.model.config.text_config.max_position_embeddings
        tokens = padded_tokens(self.tokenizer, prompt, length)
        read = self.model.text_model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
        ).pooler_output
        return torch.as_tensor(self.model.text_projection(read))


def load_clip_scorer(folder: Path) -> ClipScorer:
    """The CLIP in a folder of the hub's layout, such as that of openai/clip-vit-base-patch32.

    Raises FileNotFoundError for what is missing, and ValueError for what is damaged.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`--clip` must be a folder with CLIP's weights, got {folder}; download one, such as "
            "openai/clip-vit-base-patch32."
        )
    networks = Part(folder, "transformers.CLIPModel")
    words = Part(folder, "transformers.CLIPTokenizer")
    networks.check()
    words.check()
    path = folder / "preprocessor_config.json"
    images = read_json(path, folder)
    mean, std = (_channels(path, images, name) for name in ("image_mean", "image_std"))
    model = load_network(networks)
    size = int(model.config.vision_config.image_size)
    return ClipScorer(model, load_tokenizer(words), size, mean, std)


def _channels(path: Path, config: dict[str, Any], name: str) -> Float[Tensor, "3 1 1"]:
    values = config.get(name)
    least = 0.0 if name == "image_std" else -math.inf
    if (
        not isinstance(values, list)
        or len(values) != _CHANNELS
        or not all(isinstance(value, int | float) and least < value < math.inf for value in values)
    ):
        raise ValueError(
            f"`{name}` in `{path}` must be a list of {_CHANNELS} numbers"
            f"{' above 0' if name == 'image_std' else ''}, got {values!r}; copy the file anew."
        )
    return torch.tensor(values, dtype=torch.float32)[:, None, None]
