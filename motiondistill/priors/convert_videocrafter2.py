"""VideoCrafter2's checkpoint (Chen et al. 2024) as a folder that loads like ModelScope's.

What the library has no place for, the shrunk signal of its noising, is recorded in the scheduler's
configuration, where `families.unet3d` finds it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from motiondistill.priors.families import unet3d
from motiondistill.priors.loading import write_native
from motiondistill.priors.pickled import read_pickled
from motiondistill.priors.scaled_signal import END_KEY, STEPS_KEY
from motiondistill.priors.videocrafter2_weights import (
    convert_text,
    convert_unet,
    fold_frame_rate,
    text_config,
    unet_layout,
    vae_config,
)
from motiondistill.priors.weight_files import weight_files
from motiondistill.priors.weights import Part, load_network, load_tokenizer, read_json

CONDITIONED_FPS: Final = 28.0
"""What the authors tell the network in their script, whatever they save with."""

SCHEDULER: Final = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "steps_offset": 1,
}
SIGNAL: Final = {END_KEY: 0.7, STEPS_KEY: 400}
"""`scale_b` and `mid_step` of the authors' configuration."""

TEXT_LENGTH: Final = 77
TOKENIZER_ID: Final = "openai/clip-vit-large-patch14"
PADDING: Final = "!"  # the token numbered 0, with which the authors' tokenizer pads

PORTED_UNET: Final = "UNet3DVideoCrafterConditionModel"
OTHER_PARTS: Final = ("vae", "text_encoder", "tokenizer")

_UNET, _VAE, _TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.model."


def convert(ckpt: Path, out: Path) -> None:
    """Writes the folder `out` from the authors' checkpoint `model.ckpt`, whole or not at all.

    The checkpoint holds no tokenizer: it is taken from a folder `tokenizer` beside it, else from
    the hub. Only tensors are read from the checkpoint, so that it cannot run anything.

    `ckpt` may also be a folder of the community's port, whose UNet keeps the frame rate's embedding
    (in `unet`, or at the top); autoencoder, text encoder and tokenizer must stand beside it.

    Raises FileNotFoundError, FileExistsError where `out` exists, and ValueError for a checkpoint of
    another model.
    """
    if out.exists():
        raise FileExistsError(f"`OUT` must not exist yet, got {out}; name another folder.")
    if ckpt.is_dir():
        _write(_ported_parts(ckpt), out)
        return
    if not ckpt.is_file():
        raise FileNotFoundError(
            f"`CKPT` must be VideoCrafter2's checkpoint file, but {ckpt} is none; download "
            "model.ckpt of VideoCrafter/VideoCrafter2 from the hub."
        )
    weights = _checkpoint(ckpt)
    missing = [p for p in (_UNET, _VAE, _TEXT) if not any(name.startswith(p) for name in weights)]
    if missing:
        raise ValueError(
            f"`CKPT` must hold VideoCrafter2's networks, but {ckpt} has nothing named "
            f"{missing[0]}*; download model.ckpt of VideoCrafter/VideoCrafter2 from the hub."
        )
    try:
        parts = _parts(weights)
    except (KeyError, IndexError) as error:  # what layouts are read off is not there
        raise ValueError(
            f"`CKPT` must hold VideoCrafter2's networks, but {ckpt} lacks {error}; download "
            "model.ckpt of VideoCrafter/VideoCrafter2 from the hub."
        ) from error
    parts["tokenizer"] = _tokenizer(ckpt.parent / "tokenizer")
    _write(parts, out)


def _checkpoint(ckpt: Path) -> dict[str, Tensor]:
    remedy = "download model.ckpt of VideoCrafter/VideoCrafter2 from the hub"
    content = read_pickled(ckpt, remedy=remedy)
    weights = content.get("state_dict", content)
    named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
    if not named or not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise ValueError(
            f"`CKPT` must hold tensors by name, but {ckpt} holds something else; {remedy}."
        )
    return dict(weights)


def _parts(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The pipeline's networks and scheduler, filled."""
    import diffusers
    import transformers
    from diffusers.loaders import single_file_utils

    library: Any = diffusers  # its networks have no types
    convert_vae: Any = single_file_utils.convert_ldm_vae_checkpoint
    unet, vae, text = (_inside(weights, prefix) for prefix in (_UNET, _VAE, _TEXT))
    converted = {
        "unet": convert_unet(unet, CONDITIONED_FPS),
        "vae": convert_vae(dict(vae), vae_config(vae)),
        "text_encoder": convert_text(text),
    }
    with torch.device("meta"):
        networks: dict[str, Any] = {
            "unet": library.UNet3DConditionModel(**unet_layout(unet).config()),
            "vae": library.AutoencoderKL(**vae_config(vae)),
            "text_encoder": transformers.CLIPTextModel(
                transformers.CLIPTextConfig(**text_config(converted["text_encoder"]))
            ),
        }
    for name, network in networks.items():
        _fill(network, converted[name], name)
    return {**networks, "scheduler": _scheduler()}


def _ported_parts(folder: Path) -> dict[str, Any]:
    """All parts of the community's port, with the frame rate folded into its UNet."""
    import diffusers

    library: Any = diffusers
    place = folder / "unet" if (folder / "unet").is_dir() else folder
    config = read_json(place / "config.json", folder)
    if config.get("_class_name") != PORTED_UNET:
        raise ValueError(
            f"`CKPT` must be VideoCrafter2's model.ckpt or a folder whose UNet is a {PORTED_UNET}, "
            f"got {config.get('_class_name')!r} in {place}; other folders need no conversion."
        )
    others = {name: Part(folder / name, unet3d.FAMILY.classes[name]) for name in OTHER_PARTS}
    for part in others.values():
        part.check()
    weights: dict[str, Tensor] = {}
    for path in weight_files(place, ".safetensors"):
        weights |= load_file(path)
    for path in [] if weights else weight_files(place, ".bin"):
        weights |= read_pickled(path, remedy="convert the authors' model.ckpt instead")
    if not any(name.startswith("fps_embedding.") for name in weights):
        raise ValueError(
            f"`{place}` must hold weights with the frame rate's embedding, found none; "
            "copy it anew."
        )
    known = {k: v for k, v in config.items() if not k.startswith("_") and k != "fps_cond"}
    with torch.device("meta"):
        unet = library.UNet3DConditionModel(**known)
    _fill(unet, fold_frame_rate(weights, CONDITIONED_FPS), "unet")
    return {
        "unet": unet,
        "vae": load_network(others["vae"]),
        "text_encoder": load_network(others["text_encoder"]),
        "tokenizer": load_tokenizer(others["tokenizer"]),
        "scheduler": _scheduler(),
    }


def _scheduler() -> Any:
    import diffusers

    library: Any = diffusers
    scheduler = library.DDIMScheduler(**SCHEDULER)
    scheduler.register_to_config(**SIGNAL, md_fps=CONDITIONED_FPS)
    return scheduler


def _inside(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def _fill(network: Any, weights: Mapping[str, Tensor], part: str) -> None:
    ours = {name: tensor.shape for name, tensor in weights.items()}
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    wrong = sorted(dict(ours.items() ^ expected.items()))
    if wrong:
        raise ValueError(
            f"`CKPT` must hold VideoCrafter2's networks, but {len(wrong)} weights of its {part} "
            f"are absent, unknown or of another shape (first: {wrong[0]}); download model.ckpt of "
            "VideoCrafter/VideoCrafter2 from the hub."
        )
    network.load_state_dict(weights, assign=True)


def _tokenizer(beside: Path) -> Any:
    from transformers import CLIPTokenizer

    source = str(beside) if beside.is_dir() else TOKENIZER_ID
    try:
        tokenizer: Any = CLIPTokenizer.from_pretrained(source, pad_token=PADDING)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"`CKPT` holds no tokenizer, and {source} could not be read; put a Stable Diffusion "
            f"folder's `tokenizer` at {beside}, or connect to the hub."
        ) from error
    if tokenizer.pad_token_id != 0:
        raise ValueError(
            f"`{beside}` must be CLIP's tokenizer, whose token 0 is {PADDING!r}, got number "
            f"{tokenizer.pad_token_id}; use a Stable Diffusion folder's."
        )
    return tokenizer


def _write(parts: Mapping[str, Any], out: Path) -> None:
    """The folder, under its name only when it is complete."""
    import diffusers
    import transformers

    index = {
        name: [type(part).__module__.split(".")[0], type(part).__name__]
        for name, part in parts.items()
    }
    content = {
        "_class_name": unet3d.FAMILY.pipeline,
        "_diffusers_version": diffusers.__version__,
        **index,
    }
    # A bar for each file says nothing.
    progress: Any = transformers.utils.logging
    progress.disable_progress_bar()
    hidden = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        for name, part in parts.items():
            part.save_pretrained(hidden / name)
        (hidden / "model_index.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
        write_native(hidden, unet3d.VIDEOCRAFTER2, TEXT_LENGTH)
        os.replace(hidden, out)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
