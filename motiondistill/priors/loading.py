"""Priors from folders on disk, in the layout of the family's own pipeline; downloads nothing."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from motiondistill.priors import latte, ltx
from motiondistill.priors.base import DiffusersPrior, VideoFormat

EMBEDDED_PRIOR: Final = Path(__file__).parent / "embedded"
"""The folder of the prior that is shipped with the package."""

NATIVE_FILE: Final = "motiondistill.json"
"""What pipelines do not record: the clips a model was trained on, and the length of its text."""

LATTE_TEXT_LENGTH: Final = 120
LTX_TEXT_LENGTH: Final = 128


def load_prior(folder: Path, device: torch.device | str = "cpu") -> DiffusersPrior:
    """The frozen prior in a pipeline folder, recognised by its `model_index.json`, in float32.

    Raises FileNotFoundError for what is missing, and ValueError for what is corrupt or unsupported.
    """
    index = _read_json(folder / "model_index.json", folder)
    family = index.get("_class_name")
    match family:
        case "LattePipeline":
            from diffusers import AutoencoderKL, LatteTransformer3DModel

            native, text_length = _read_native(folder, latte.NATIVE, LATTE_TEXT_LENGTH)
            components = _components(folder, device, AutoencoderKL, LatteTransformer3DModel)
            return latte.latte_prior(components, native, text_length)
        case "LTXPipeline":
            from diffusers import AutoencoderKLLTXVideo, LTXVideoTransformer3DModel

            native, text_length = _read_native(folder, ltx.NATIVE, LTX_TEXT_LENGTH)
            components = _components(
                folder, device, AutoencoderKLLTXVideo, LTXVideoTransformer3DModel
            )
            return ltx.ltx_prior(components, native, text_length)
        case _:
            raise ValueError(
                f"`{folder / 'model_index.json'}` must name a supported pipeline "
                f"(LattePipeline, LTXPipeline), got {family!r}; choose a folder of one of these."
            )


def write_native(folder: Path, native: VideoFormat, text_length: int) -> None:
    """The file that tells `load_prior` a self-trained folder's native clip and text length."""
    fields = {name: getattr(native, name) for name in ("fps", "frames", "height", "width")}
    content = json.dumps({**fields, "text_length": text_length}, indent=2)
    (folder / NATIVE_FILE).write_text(content + "\n", encoding="utf-8")


def randomized(prior: DiffusersPrior, generator: torch.Generator) -> DiffusersPrior:
    """The same prior with freshly initialised denoiser weights: a control that knows nothing."""
    return dataclasses.replace(prior, denoiser=prior.denoiser.randomized(generator))


def _read_native(folder: Path, default: VideoFormat, text_length: int) -> tuple[VideoFormat, int]:
    path = folder / NATIVE_FILE
    if not path.exists():
        return default, text_length
    content = _read_json(path, folder)
    try:
        native = VideoFormat(
            float(content["fps"]),
            int(content["frames"]),
            int(content["height"]),
            int(content["width"]),
        )
        return native, int(content["text_length"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`{path}` must give fps, frames, height, width and text_length as numbers; "
            f"problem: {error!r}."
        ) from error


def _components(
    folder: Path, device: torch.device | str, vae: Any, transformer: Any
) -> dict[str, Any]:
    import transformers

    # A bar per text encoder says nothing to someone who loads a small prior.
    progress: Any = transformers.utils.logging
    progress.disable_progress_bar()
    classes = {
        "vae": vae,
        "transformer": transformer,
        "text_encoder": transformers.T5EncoderModel,
    }
    components = {name: _load_model(folder / name, kind, device) for name, kind in classes.items()}
    components["scheduler"] = _read_json(folder / "scheduler" / "scheduler_config.json", folder)
    components["tokenizer"] = _load_tokenizer(folder / "tokenizer", transformers.T5Tokenizer)
    return components


def _load_model(folder: Path, kind: Any, device: torch.device | str) -> Any:
    _read_json(folder / "config.json", folder.parent)
    _check_weights(folder)
    try:
        model, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"`{folder}` must hold a {kind.__name__} whose weights fit its config.json; "
            f"copy the folder anew. The library says: {error}"
        ) from error
    _check_report(folder, report)
    return model.to(device).eval().requires_grad_(False)


def _check_report(folder: Path, report: Mapping[str, Any]) -> None:
    # The libraries fill what is missing with random numbers and only log it.
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(map(str, report.get(problem) or ()))
        if names:
            raise ValueError(
                f"`{folder}` must hold exactly the weights its config.json describes, but has "
                f"{len(names)} {problem.replace('_', ' ')} (first: {names[0]}); "
                "copy the folder anew."
            )


def _check_weights(folder: Path) -> None:
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise FileNotFoundError(
            f"`{folder}` must hold weights as .safetensors, found none; "
            "download that format or convert it."
        )
    for path in paths:
        try:
            with safe_open(path, framework="pt") as weights:
                weights.keys()
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"`{path}` must be a complete safetensors file ({error}); copy it anew."
            ) from error


def _load_tokenizer(folder: Path, kind: Any) -> Any:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`{folder}` must hold the tokenizer, but is missing; copy the folder anew."
        )
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f"`{folder}` must hold a {kind.__name__}; copy it anew. The library says: {error}"
        ) from error


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"`{path}` is missing; `{folder}` must be a complete pipeline folder."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"`{path}` must be JSON ({error}); copy it anew.") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"`{path}` must be a JSON object, got {type(content).__name__}; copy it anew."
        )
    return content
