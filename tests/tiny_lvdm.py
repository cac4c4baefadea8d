"""VideoCrafter2's networks as its authors wire them, written out plainly: a converter's oracle.

Names of modules are those of the checkpoint, spelling included.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32


class ResidualBlock(nn.Module):
    """Two convolutions in space with the time's vector between them, then four in time."""

    def __init__(self, inputs: int, outputs: int, time_channels: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_channels, outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
            nn.Dropout(0.1),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        same = inputs == outputs
        self.skip_connection = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1)
        self.temopral_conv = TemporalConvolutions(outputs)

    def forward(self, x: Tensor, time: Tensor, context: Tensor, clips: int) -> Tensor:
        hidden = self.in_layers(x) + self.emb_layers(time)[..., None, None]
        return self.temopral_conv(self.skip_connection(x) + self.out_layers(hidden), clips)


class TemporalConvolutions(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        for number in range(1, 5):
            dropout = [nn.Dropout(0.1)] if number > 1 else []
            layer = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))
            block = nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.SiLU(), *dropout, layer)
            self.add_module(f"conv{number}", block)

    def forward(self, frames: Tensor, clips: int) -> Tensor:
        video = frames.unflatten(0, (clips, -1)).transpose(1, 2)
        hidden = video
        for block in self.children():
            hidden = block(hidden)
        return (video + hidden).transpose(1, 2).flatten(0, 1)


class Attention(nn.Module):
    def __init__(self, channels: int, inner: int, heads: int, context: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, inner, bias=False)
        self.to_k = nn.Linear(context, inner, bias=False)
        self.to_v = nn.Linear(context, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, channels), nn.Dropout(0.0))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        q, k, v = (
            projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projected in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return self.to_out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Gated(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 8 * channels)

    def forward(self, x: Tensor) -> Tensor:
        values, gates = self.proj(x).chunk(2, dim=-1)
        return values * functional.gelu(gates)


class FeedForward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Linear(4 * channels, channels)
        self.net = nn.Sequential(Gated(channels), nn.Dropout(0.0), last)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class AttentionBlock(nn.Module):
    """Attention to itself, then to the text if there is one (else to itself again)."""

    def __init__(self, channels: int, heads: int, text: int | None) -> None:
        super().__init__()
        self.attn1 = Attention(channels, channels, heads, channels)
        self.ff = FeedForward(channels)
        self.attn2 = Attention(channels, channels, heads, text or channels)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        normed = self.norm1(x)
        x = x + self.attn1(normed, normed)
        normed = self.norm2(x)
        x = x + self.attn2(normed, normed if context is None else context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, text: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([AttentionBlock(channels, heads, text)])

    def forward(self, x: Tensor, time: Tensor, context: Tensor, clips: int) -> Tensor:
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        tokens = self.proj_out(self.transformer_blocks[0](tokens, context))
        return x + tokens.transpose(1, 2).unflatten(2, x.shape[2:])


class TemporalTransformer(nn.Module):
    def __init__(self, channels: int, heads: int, head_channels: int) -> None:
        super().__init__()
        inner = heads * head_channels
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in, self.proj_out = nn.Conv1d(channels, inner, 1), nn.Conv1d(inner, channels, 1)
        self.transformer_blocks = nn.ModuleList([AttentionBlock(inner, heads, None)])

    def forward(self, x: Tensor, time: Tensor, context: Tensor, clips: int) -> Tensor:
        video = x.unflatten(0, (clips, -1)).transpose(1, 2)  # B C F h w
        lines = self.norm(video).permute(0, 3, 4, 1, 2).flatten(0, 2)  # Bhw C F
        tokens = self.transformer_blocks[0](self.proj_in(lines).transpose(1, 2), None)
        lines = self.proj_out(tokens.transpose(1, 2))
        hidden = lines.unflatten(0, (clips, *x.shape[2:])).permute(0, 4, 3, 1, 2).flatten(0, 1)
        return x + hidden


class Down(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, *_: object) -> Tensor:
        return self.op(x)


class Up(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, *_: object) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))


class UNet(nn.Module):
    """Levels of `base * multiples` channels; all but the last attend to space, text and time."""

    def __init__(
        self, base: int, multiples: tuple[int, ...], layers: int, head: int, text: int
    ) -> None:
        super().__init__()
        self.base, wide = base, 4 * base
        self.time_embed = nn.Sequential(nn.Linear(base, wide), nn.SiLU(), nn.Linear(wide, wide))
        self.fps_embedding = nn.Sequential(nn.Linear(base, wide), nn.SiLU(), nn.Linear(wide, wide))

        def attention(channels: int) -> list[nn.Module]:
            heads = channels // head
            space = SpatialTransformer(channels, heads, text)
            return [space, TemporalTransformer(channels, heads, head)]

        inputs: list[list[nn.Module]] = [[nn.Conv2d(4, base, 3, padding=1)]]
        channels, skipped, last = base, [base], len(multiples) - 1
        for level, multiple in enumerate(multiples):
            for _ in range(layers):
                block = ResidualBlock(channels, base * multiple, wide)
                channels = base * multiple
                inputs.append([block, *(attention(channels) if level < last else [])])
                skipped.append(channels)
            if level < last:
                inputs.append([Down(channels)])
                skipped.append(channels)
        middle = [ResidualBlock(channels, channels, wide) for _ in range(2)]
        outputs: list[list[nn.Module]] = []
        for level, multiple in reversed(list(enumerate(multiples))):
            for layer in range(layers + 1):
                block = ResidualBlock(channels + skipped.pop(), base * multiple, wide)
                channels = base * multiple
                attends = attention(channels) if level < last else []
                up = [Up(channels)] if level and layer == layers else []
                outputs.append([block, *attends, *up])
        self.init_attn = nn.ModuleList([TemporalTransformer(base, 8, head)])
        self.input_blocks = nn.ModuleList(nn.ModuleList(group) for group in inputs)
        self.middle_block = nn.ModuleList([middle[0], *attention(base * multiples[-1]), middle[1]])
        self.output_blocks = nn.ModuleList(nn.ModuleList(group) for group in outputs)
        last_layer = nn.Conv2d(base, 4, 3, padding=1)
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, base), nn.SiLU(), last_layer)

    def forward(self, video: Tensor, times: Tensor, text: Tensor, fps: float) -> Tensor:
        clips, _, count = video.shape[:3]
        rate = torch.full_like(times, fps)
        time = self.time_embed(waves(times, self.base))
        time = (time + self.fps_embedding(waves(rate, self.base))).repeat_interleave(count, 0)
        context = text.repeat_interleave(count, 0)
        x = self.input_blocks[0][0](video.transpose(1, 2).flatten(0, 1))
        x = self.init_attn[0](x, time, context, clips)
        skipped = [x]
        for group in list(self.input_blocks)[1:]:
            for module in group:
                x = module(x, time, context, clips)
            skipped.append(x)
        for module in self.middle_block:
            x = module(x, time, context, clips)
        for group in self.output_blocks:
            x = torch.cat([x, skipped.pop()], 1)
            for module in group:
                x = module(x, time, context, clips)
        return self.out(x).unflatten(0, (clips, count)).transpose(1, 2)


def waves(values: Tensor, channels: int) -> Tensor:
    half = channels // 2
    rates = torch.exp(-math.log(10000) * torch.arange(half) / half)
    angles = values[:, None].float() * rates
    return torch.cat([angles.cos(), angles.sin()], 1)


class TextLayer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 2 * width))
        self.mlp.add_module("gelu", nn.GELU())
        self.mlp.add_module("c_proj", nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        unseen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = x + self.attn(normed, normed, normed, attn_mask=unseen, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Text(nn.Module):
    """The text half of an OpenCLIP, read before its last layer."""

    def __init__(self, vocabulary: int, width: int, layers: int, length: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(length, width))
        self.text_projection = nn.Parameter(torch.randn(width, width))
        self.logit_scale = nn.Parameter(torch.ones(()))
        self.transformer = nn.Module()
        blocks = (TextLayer(width, width // 64) for _ in range(layers))
        self.transformer.resblocks = nn.ModuleList(blocks)
        self.ln_final = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding
        for layer in list(self.transformer.resblocks)[:-1]:
            x = layer(x)
        return self.ln_final(x)


def vae_weights(vae: nn.Module, levels: int) -> dict[str, Tensor]:
    """A library autoencoder's weights under the names of the checkpoint."""
    renamed = {}
    for name, tensor in vae.state_dict().items():
        for old, new in (("down_blocks.", "down."), ("resnets.", "block."), ("mid_block", "mid")):
            name = name.replace(old, new)
        for number in range(levels):  # counted from the other end
            if name.startswith(f"decoder.up_blocks.{number}."):
                tail = name.removeprefix(f"decoder.up_blocks.{number}.")
                name = f"decoder.up.{levels - 1 - number}.{tail}"
                break
        for old, new in (
            ("mid.block.1", "mid.block_2"),
            ("mid.block.0", "mid.block_1"),
            ("mid.attentions.0", "mid.attn_1"),
            ("downsamplers.0", "downsample"),
            ("upsamplers.0", "upsample"),
            ("conv_shortcut", "nin_shortcut"),
            ("conv_norm_out", "norm_out"),
            ("group_norm", "norm"),
            ("to_q", "q"),
            ("to_k", "k"),
            ("to_v", "v"),
            ("to_out.0", "proj_out"),
        ):
            name = name.replace(old, new)
        pointwise = "attn_1" in name and tensor.ndim == 2
        renamed[name] = tensor[..., None, None] if pointwise else tensor
    return renamed
