"""The weights of VideoCrafter2 (Chen et al. 2024) under the names that the libraries give them.

Its UNet is ModelScope's but for one more input, the frame rate, which adds a vector to that of the
time. The frame rate is fixed here, and its vector becomes part of a bias: exact.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import torch
from torch import Tensor

Weights: TypeAlias = Mapping[str, Tensor]

_RESNET: Final = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_ENDS: Final = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "init_attn.0": "transformer_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_TEXT_LAYER: Final = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_FIRST_HEADS: Final = 8  # of the attention before all blocks, here and there
_TEXT_HEAD_CHANNELS: Final = 64


@final
@dataclass(frozen=True)
class UNetLayout:
    """The size of a UNet, read off its weights."""

    channels: tuple[int, ...]
    """Of each level, from fine to coarse."""
    attention: tuple[bool, ...]
    """Whether each level has it."""
    layers: int
    """Residual blocks in each level on the way down; one more on the way up."""
    head_channels: int
    text_channels: int

    def config(self) -> dict[str, Any]:
        """What `UNet3DConditionModel` is made from."""
        return {
            "sample_size": (40, 64),
            "block_out_channels": self.channels,
            "down_block_types": tuple(
                "CrossAttnDownBlock3D" if attends else "DownBlock3D" for attends in self.attention
            ),
            "up_block_types": tuple(
                "CrossAttnUpBlock3D" if attends else "UpBlock3D"
                for attends in reversed(self.attention)
            ),
            "layers_per_block": self.layers,
            "attention_head_dim": self.head_channels,
            "cross_attention_dim": self.text_channels,
        }


def unet_layout(weights: Weights) -> UNetLayout:
    """The layout of the authors' UNet; the names of `weights` are those inside of it."""
    levels: list[list[tuple[int, bool]]] = [[]]
    index = 1
    while True:
        block = f"input_blocks.{index}"
        if f"{block}.0.op.weight" in weights:
            levels.append([])
        elif f"{block}.0.out_layers.3.bias" in weights:
            channels = len(weights[f"{block}.0.out_layers.3.bias"])
            levels[-1].append((channels, f"{block}.1.norm.weight" in weights))
        else:
            break
        index += 1
    text_projection = weights["middle_block.1.transformer_blocks.0.attn2.to_k.weight"]
    return UNetLayout(
        channels=tuple(level[0][0] for level in levels),
        attention=tuple(level[0][1] for level in levels),
        layers=len(levels[0]),
        head_channels=len(weights["init_attn.0.proj_in.weight"]) // _FIRST_HEADS,
        text_channels=text_projection.shape[1],
    )


def convert_unet(weights: Weights, fps: float) -> dict[str, Tensor]:
    """The weights of a `UNet3DConditionModel` that does what the authors' UNet does at `fps`.

    Names inside the UNet. Raises ValueError for weights of another network.
    """
    if any("relative_position" in name or "to_k_ip" in name for name in weights):
        raise ValueError(
            "The checkpoint's UNet must be VideoCrafter2's for text alone, but has relative "
            "positions or image attention; use the one named VideoCrafter2 (512x320)."
        )
    converted = {}
    for old, new in _modules(unet_layout(weights)):
        for name in [name for name in weights if name.startswith(old)]:
            tensor = weights[name]
            # Convolutions of width one over time are linear layers.
            pointwise = tensor.ndim == 3 and name.endswith(("proj_in.weight", "proj_out.weight"))
            converted[new + name.removeprefix(old)] = tensor.squeeze(2) if pointwise else tensor
    for place, layer in ((0, 1), (2, 2)):
        for kind in ("weight", "bias"):
            name = f"fps_embedding.linear_{layer}.{kind}"
            converted[name] = weights[f"fps_embedding.{place}.{kind}"]
    return fold_frame_rate(converted, fps)


def fold_frame_rate(weights: Weights, fps: float) -> dict[str, Tensor]:
    """Weights under the library's names, with `fps_embedding` made part of the time's bias.

    That embedding adds the same vector to the time's for every input of one frame rate.
    """
    folded = {name: w for name, w in weights.items() if not name.startswith("fps_embedding.")}
    first, last = (
        [weights[f"fps_embedding.linear_{layer}.{kind}"].float() for kind in ("weight", "bias")]
        for layer in (1, 2)
    )
    half = first[0].shape[1] // 2
    angles = fps * torch.exp(torch.arange(half) * (-math.log(10000) / half))
    waves = torch.cat([angles.cos(), angles.sin()])
    hidden = torch.nn.functional.silu(first[0] @ waves + first[1])
    bias = folded["time_embedding.linear_2.bias"]
    folded["time_embedding.linear_2.bias"] = bias + (last[0] @ hidden + last[1]).to(bias)
    return folded


def convert_text(weights: Weights) -> dict[str, Tensor]:
    """The weights of a `CLIPTextModel` without the last layer, which the authors do not use."""
    last = max(int(name.split(".")[2]) for name in weights if ".resblocks." in name)
    converted = {
        "embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "embeddings.position_embedding.weight": weights["positional_embedding"],
        "final_layer_norm.weight": weights["ln_final.weight"],
        "final_layer_norm.bias": weights["ln_final.bias"],
    }
    for layer in range(last):
        old, new = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            for theirs, ours in _TEXT_LAYER.items():
                converted[f"{new}.{ours}.{kind}"] = weights[f"{old}.{theirs}.{kind}"]
            together = weights[f"{old}.attn.in_proj_{kind}"]
            for part, tensor in zip("qkv", together.chunk(3), strict=True):
                # With memory of its own, which files of weights demand.
                converted[f"{new}.self_attn.{part}_proj.{kind}"] = tensor.clone()
    return converted


def vae_config(weights: Weights) -> dict[str, Any]:
    """What an `AutoencoderKL` of the authors' autoencoder is made from."""
    levels = _count(weights, "encoder.down.{}.block.0.conv1.weight")
    return {
        "block_out_channels": tuple(
            len(weights[f"encoder.down.{level}.block.0.conv1.weight"]) for level in range(levels)
        ),
        "layers_per_block": _count(weights, "encoder.down.0.block.{}.conv1.weight"),
        "latent_channels": weights["post_quant_conv.weight"].shape[1],
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "scaling_factor": 0.18215,
    }


def text_config(converted: Weights) -> dict[str, Any]:
    """What a `CLIPTextModel` of converted weights is made from."""
    vocabulary, width = converted["embeddings.token_embedding.weight"].shape
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": len(converted["encoder.layers.0.mlp.fc1.weight"]),
        "num_hidden_layers": _count(converted, "encoder.layers.{}.mlp.fc1.weight"),
        "num_attention_heads": width // _TEXT_HEAD_CHANNELS,
        "max_position_embeddings": len(converted["embeddings.position_embedding.weight"]),
        "hidden_act": "gelu",
        "pad_token_id": 0,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
    }


def _modules(layout: UNetLayout) -> Iterator[tuple[str, str]]:
    """(their name, our name) of every module; modules without weights do no harm."""
    for theirs, ours in _ENDS.items():
        yield f"{theirs}.", f"{ours}."
    middle = ("resnets.0", "attentions.0", "temp_attentions.0", "resnets.1")
    for place, name in enumerate(middle):
        yield from _module(f"middle_block.{place}", f"mid_block.{name}")
    index = 1
    for level, attends in enumerate(layout.attention):
        for layer in range(layout.layers):
            yield from _layer(f"input_blocks.{index}", f"down_blocks.{level}", layer, attends)
            index += 1
        yield f"input_blocks.{index}.0.op.", f"down_blocks.{level}.downsamplers.0.conv."
        index += 1
    index = 0
    for level, attends in enumerate(reversed(layout.attention)):
        for layer in range(layout.layers + 1):
            yield from _layer(f"output_blocks.{index}", f"up_blocks.{level}", layer, attends)
            index += 1
        # Behind the attention where there is one.
        last = f"output_blocks.{index - 1}.{3 if attends else 1}.conv."
        yield last, f"up_blocks.{level}.upsamplers.0.conv."


def _layer(old: str, new: str, layer: int, attends: bool) -> Iterator[tuple[str, str]]:
    names = ("resnets", "attentions", "temp_attentions") if attends else ("resnets",)
    for place, name in enumerate(names):
        yield from _module(f"{old}.{place}", f"{new}.{name}.{layer}")


def _module(old: str, new: str) -> Iterator[tuple[str, str]]:
    if ".resnets." not in new:
        yield f"{old}.", f"{new}."
        return
    for theirs, ours in _RESNET.items():
        yield f"{old}.{theirs}.", f"{new}.{ours}."
    # Their spelling.
    yield f"{old}.temopral_conv.", new.replace(".resnets.", ".temp_convs.") + "."


def _count(weights: Weights, name: str) -> int:
    """How many numbers, from 0, make `name` with its gap filled one of the weights."""
    count = 0
    while name.format(count) in weights:
        count += 1
    return count
