"""CLIP scores by a tiny random CLIP: parity with the library's own way, and damaged folders."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_clip import LENGTH, tiny_tokenizer

from motiondistill.priors.clip_score import load_clip_scorer

SIZE = 32
PROMPT = "a person walks"
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
# The library scales by Pillow, whose bicubic rounds to 8 bits after each axis.
PIXEL = 2.5 / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    tokenizer = tiny_tokenizer()
    shape = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 8,
    }
    text = shape | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = shape | {"image_size": SIZE, "patch_size": 8}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    for parameter in model.parameters():
        # The library starts so small that all images would look almost the same.
        parameter.data *= 6 if parameter.ndim > 1 else 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    images = {"image_mean": MEAN, "image_std": STD, "size": {"shortest_edge": SIZE}}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return folder


def film(height: int = 48, width: int = 64, frames: int = 5) -> torch.Tensor:
    """Smooth colours that differ from frame to frame."""
    coarse = torch.rand(frames, 3, 6, 8, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round() / 255


def processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(
        size={"shortest_edge": SIZE}, crop_size=SIZE, image_mean=MEAN, image_std=STD
    )


@pytest.mark.parametrize("size", [(48, 64), (64, 40), (32, 32), (20, 33)])
def test_images_are_prepared_as_by_the_library(folder: Path, size: tuple[int, int]) -> None:
    video = film(*size)
    frames = list((video * 255).round().byte())
    theirs = processor()(images=frames, return_tensors="pt").pixel_values
    torch.testing.assert_close(
        load_clip_scorer(folder).prepared(video), theirs, atol=PIXEL / min(STD), rtol=0
    )


def test_the_score_is_the_cosine_of_the_librarys_logits(folder: Path) -> None:
    from transformers import CLIPModel, CLIPTokenizer

    scorer, video = load_clip_scorer(folder), film(SIZE, SIZE, frames=20)
    model = CLIPModel.from_pretrained(folder).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)([PROMPT], return_tensors="pt")
    with torch.no_grad():
        logits = model(**tokens, pixel_values=scorer.prepared(video)).logits_per_image
    cosine = logits[:, 0].mean() / model.logit_scale.exp()
    assert scorer(video, PROMPT) == pytest.approx(100 * float(cosine.detach()), abs=1e-3)
    assert abs(scorer(video, PROMPT) - scorer(video, "zzz xylophone")) > 0.1
    assert abs(scorer(video, PROMPT) - scorer(1 - video, PROMPT)) > 0.1


def test_weights_with_the_old_buffers_load(folder: Path, tmp_path: Path) -> None:
    """Released files hold positions as `position_ids`, which the library no longer stores."""
    copied = copy(folder, tmp_path)
    weights = load_file(copied / "model.safetensors")
    weights["text_model.embeddings.position_ids"] = torch.arange(LENGTH)[None]
    weights["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    assert load_clip_scorer(copied)(film(), PROMPT) == load_clip_scorer(folder)(film(), PROMPT)


def copy(folder: Path, to: Path) -> Path:
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_damaged_folders_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`--clip` must be a folder"):
        load_clip_scorer(tmp_path / "none")
    copied = copy(folder, tmp_path)
    (copied / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN}))
    with pytest.raises(ValueError, match=r"`image_std` in .* must be a list of 3 numbers above 0"):
        load_clip_scorer(copied)
    (copied / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="weights as"):
        load_clip_scorer(copied)
