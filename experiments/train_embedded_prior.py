"""Trains the embedded prior: a tiny LTX text-to-video model on renders of our own body.

    python experiments/train_embedded_prior.py --mocap FOLDER [--out trainings/embedded]
        [--steps 6000] [--seed 0]

Four stages, each resumed where it stopped: render clips, train the codec, encode the clips, train
text encoder and denoiser together by flow matching. The result is written as an `LTXPipeline`
folder (`OUT/pipeline`), half precision. Uses a GPU where there is one. `--threads` sets the CPU
threads.
"""

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)
from torch import Tensor
from transformers import T5Config, T5EncoderModel

from motiondistill.body.anny import anny_body
from motiondistill.cameras import Orbit
from motiondistill.data.captions import PHRASES, SIDED_ACTIONS, SUBJECTS, random_caption
from motiondistill.data.choreography import SIDES
from motiondistill.data.dataset import action_dataset, mocap_windows
from motiondistill.priors import VideoFormat
from motiondistill.priors.loading import write_native
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene

FRAMES, FPS, SIZE = 17, 8.0, 64
LATENTS = (64, 5, 4, 4)  # channels, frames, height, width
AZIMUTH_JITTER = math.radians(10)  # clips of one view word stay close to its centre
TEXT_WIDTH, TEXT_TOKENS, VOCABULARY = 128, 32, 512
CODEC_RATE = 2e-3


def render_clips(out: Path, mocap: Path, count: int, seed: int) -> None:
    """Writes `count` captioned clips to `OUT/clips.pt`.

    They are videos [N F 3 H W] uint8, captions, view indices.
    """
    if (out / "clips.pt").exists():
        return
    body = anny_body("low")
    scene, cameras = Scene(CpuRasterizer()), Orbit(size=(SIZE, SIZE))
    windows = mocap_windows(mocap, body.rest_joints, FPS, FRAMES)
    dataset = action_dataset(windows, body.rest_joints, FPS, FRAMES)
    videos = torch.empty(count, FRAMES, 3, SIZE, SIZE, dtype=torch.uint8)
    labels, views = [], torch.empty(count, dtype=torch.long)
    start = time.time()
    for index in range(count):
        generator = seeded(seed, index, "clip")
        window = dataset.sample_clip(dataset.sample_action(generator), generator)
        views[index] = torch.randint(len(VIEW_NAMES), (), generator=generator)
        jitter = (torch.rand((), generator=generator) * 2 - 1) * AZIMUTH_JITTER
        azimuth = views[index] * (2 * math.pi / len(VIEW_NAMES)) + jitter
        with torch.no_grad():
            video = scene(body(window.motion), cameras(azimuth[None]))[0]
        videos[index] = (video.clamp(0, 1) * 255).round().to(torch.uint8)
        labels.append((window.action, window.side))
        report("render", index, count, start)
    save(out / "clips.pt", {"videos": videos, "labels": labels, "views": views})


def build_codec() -> AutoencoderKLLTXVideo:
    """A causal video autoencoder, 16x smaller in space and 4x in time.

    17x64x64 pixels -> 5x4x4 latents. 80 tokens a clip make the denoiser about four times faster
    than the 320 of an 8x codec.
    """
    return AutoencoderKLLTXVideo(
        latent_channels=LATENTS[0],
        patch_size=4,
        patch_size_t=1,
        block_out_channels=(24, 48, 96),
        down_block_types=("LTXVideo095DownBlock3D",) * 2,
        downsample_type=("spatiotemporal",) * 2,
        spatio_temporal_scaling=(True, True),
        layers_per_block=(1, 1, 1),
        decoder_block_out_channels=(48, 96),
        decoder_spatio_temporal_scaling=(True, True),
        decoder_layers_per_block=(1, 1, 1),
        decoder_inject_noise=(False, False, False),
        upsample_residual=(True, True),
        upsample_factor=(2, 2),
        timestep_conditioning=False,
        encoder_causal=True,
        decoder_causal=False,
    )


def build_denoiser(width: int, layers: int) -> LTXVideoTransformer3DModel:
    """A diffusion transformer over the 80 latent tokens of a clip."""
    return LTXVideoTransformer3DModel(
        in_channels=LATENTS[0],
        out_channels=LATENTS[0],
        patch_size=1,
        patch_size_t=1,
        num_attention_heads=4,
        attention_head_dim=width // 4,
        cross_attention_dim=width,
        num_layers=layers,
        caption_channels=TEXT_WIDTH,
    )


def build_text_encoder(vocabulary: int) -> T5EncoderModel:
    """A two-layer T5 encoder, trained with the denoiser."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=256,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            pad_token_id=0,
            eos_token_id=1,
        )
    )


def train_codec(
    out: Path, videos: Tensor, steps: int, device: torch.device, seed: int
) -> AutoencoderKLLTXVideo:
    """The codec, trained to reproduce clips.

    Errors on the moving body count more than on the still background.
    """
    torch.manual_seed(seed)
    codec = build_codec().to(device)
    if (out / "codec.pt").exists():
        codec.load_state_dict(torch.load(out / "codec.pt", weights_only=True))
        return codec
    optimizer = torch.optim.AdamW(
        codec.parameters(), lr=CODEC_RATE, betas=(0.9, 0.99), weight_decay=0.0
    )
    background = (
        videos[:: len(videos) // 64].float().flatten(0, 1).median(0).values.to(device) / 255
    )
    batch, start = 8, time.time()
    for step in range(steps):
        generator = seeded(seed, step, "codec")
        set_rate(optimizer, CODEC_RATE, step, steps)
        pick = torch.randint(len(videos), (batch,), generator=generator)
        video = videos[pick].to(device).float() / 255
        posterior = codec.encode((video * 2 - 1).transpose(1, 2)).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
        latents = posterior.mean + posterior.std * noise
        rebuilt = codec.decode(latents).sample.transpose(1, 2) * 0.5 + 0.5
        weight = 1 + 5 * ((video - background).abs().amax(2, keepdim=True) > 0.03)
        error = (weight * (rebuilt - video).square()).mean()
        error = error + 0.02 * (weight * (rebuilt - video).abs()).mean()
        loss = error + 1e-6 * posterior.kl().mean() / latents[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        report("codec", step, steps, start, loss=loss.item())
    save(out / "codec.pt", codec.state_dict())
    return codec


@torch.no_grad()
def encode_clips(
    out: Path, codec: AutoencoderKLLTXVideo, videos: Tensor, device: torch.device
) -> Tensor:
    """All clips' latents, normalised per channel.

    The mean and deviation are stored in the codec's buffers.
    """
    codec.eval().requires_grad_(False)
    if not (out / "latents.pt").exists():
        start, latents = time.time(), []
        for first in range(0, len(videos), 16):
            video = videos[first : first + 16].to(device).float() / 127.5 - 1
            latents.append(codec.encode(video.transpose(1, 2)).latent_dist.mode().cpu())
            report("encode", first, len(videos), start)
        save(out / "latents.pt", torch.cat(latents))
    latents = torch.load(out / "latents.pt", weights_only=True)
    codec.latents_mean.copy_(latents.mean((0, 2, 3, 4)))
    codec.latents_std.copy_(latents.std((0, 2, 3, 4)))
    mean, std = (stat.view(-1, 1, 1, 1).cpu() for stat in (codec.latents_mean, codec.latents_std))
    return (latents - mean) / std


def train_denoiser(
    out: Path, latents: Tensor, clips: dict[str, Any], tokenizer: Any, args: argparse.Namespace
) -> Iterator[tuple[int, torch.nn.ModuleDict]]:
    """Trains text encoder and denoiser by flow matching.

    Yields (step, averaged models) at every checkpoint.
    """
    device = torch.device(args.device)
    torch.manual_seed(args.seed)
    models = torch.nn.ModuleDict(
        {
            "text": build_text_encoder(len(tokenizer)),
            "denoiser": build_denoiser(args.width, args.layers),
        }
    ).to(device)
    average = copy.deepcopy(models).requires_grad_(False)
    models["denoiser"].compile()  # about twice as fast on a CPU; takes a minute or two
    optimizer = torch.optim.AdamW(
        models.parameters(), lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    first = 0
    if (out / "denoiser.pt").exists():
        state = torch.load(out / "denoiser.pt", weights_only=True, map_location=device)
        models.load_state_dict(state["models"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    start, running = time.time(), None
    for step in range(first, args.steps):
        generator = seeded(args.seed, step, "denoiser")
        set_rate(optimizer, args.rate, step, args.steps)
        pick = torch.randint(len(latents), (args.batch,), generator=generator)
        captions = [
            caption(clips["labels"][i], int(clips["views"][i]), generator) for i in pick.tolist()
        ]
        loss = flow_matching_loss(models, tokenizer, latents[pick].to(device), captions, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(models.parameters(), 1.0)
        optimizer.step()
        keep = min(0.9985, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), models.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        report("denoiser", step - first, args.steps - first, start, loss=running)
        if (step + 1) % args.checkpoint_every == 0 or step + 1 == args.steps:
            state = {"models": models.state_dict(), "average": average.state_dict()}
            save(
                out / "denoiser.pt", state | {"optimizer": optimizer.state_dict(), "step": step + 1}
            )
            yield step + 1, average


def flow_matching_loss(
    models: torch.nn.ModuleDict,
    tokenizer: Any,
    latents: Tensor,
    captions: list[str],
    generator: torch.Generator,
) -> Tensor:
    """Mean squared error of the predicted velocity `noise - latents` (Lipman et al. 2023).

    Flow times are logit-normal.
    """
    device = latents.device
    noise = torch.randn(latents.shape, generator=generator).to(device)
    time_ = torch.sigmoid(torch.randn(len(latents), generator=generator) * 1.1 + 0.4).to(device)
    tau = time_.view(-1, 1, 1, 1, 1)
    noisy = (1 - tau) * latents + tau * noise
    tokens = tokenizer(
        captions, padding="max_length", max_length=TEXT_TOKENS, truncation=True, return_tensors="pt"
    )
    tokens = tokens.to(device)
    _, frames, height, width = LATENTS
    with torch.autocast(device.type, torch.bfloat16):
        # Like the pipeline, T5 itself is given no mask: its padding is part of what the denoiser
        # learns to read.
        text = models["text"](tokens.input_ids)[0]
        velocity = models["denoiser"](
            hidden_states=noisy.flatten(2).transpose(1, 2),
            encoder_hidden_states=text,
            timestep=time_ * 1000,
            encoder_attention_mask=tokens.attention_mask,
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=(4 / FPS, 16, 16),
            return_dict=False,
        )[0]
    target = (noise - latents).flatten(2).transpose(1, 2)
    return F.mse_loss(velocity.float(), target)


def caption(label: tuple[str, str], view: int, generator: torch.Generator) -> str:
    """A caption for a clip: usually action and view.

    Sometimes less, so that guidance has what to contrast with.
    """
    draw = torch.rand((), generator=generator).item()
    if draw < 0.10:
        return ""
    if draw < 0.18:
        return f"a person, {VIEW_NAMES[view]}"
    words = random_caption(*label, generator)
    return words if draw < 0.26 else f"{words}, {VIEW_NAMES[view]}"


def training_sentences() -> list[str]:
    """Every caption and view word, for the tokenizer's vocabulary."""
    phrases = [
        phrase.format(side=side)
        for action, texts in PHRASES.items()
        for phrase in texts
        for side in (SIDES if action in SIDED_ACTIONS else SIDES[:1])
    ]
    return [
        f"{subject} {phrase}, {view}"
        for subject in SUBJECTS
        for phrase in phrases
        for view in VIEW_NAMES
    ]


def export(
    out: Path, codec: AutoencoderKLLTXVideo, models: torch.nn.ModuleDict, tokenizer: Any
) -> None:
    """Writes the averaged models as a half-precision `LTXPipeline` folder."""
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05, shift_terminal=0.1,
        base_image_seq_len=1024, max_image_seq_len=4096,
    )  # fmt: skip
    parts = {"vae": codec, "text_encoder": models["text"], "transformer": models["denoiser"]}
    halves = {name: copy.deepcopy(part).cpu().half().eval() for name, part in parts.items()}
    LTXPipeline(scheduler=scheduler, tokenizer=tokenizer, **halves).save_pretrained(
        out / "pipeline"
    )
    write_native(out / "pipeline", VideoFormat(FPS, FRAMES, SIZE, SIZE), TEXT_TOKENS)


def set_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, steps: int) -> None:
    """Linear warm-up over 100 steps, then a cosine down to a fiftieth."""
    cosine = 0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2
    for group in optimizer.param_groups:
        group["lr"] = peak * min(1.0, (step + 1) / 100) * cosine


def save(path: Path, content: Any) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_suffix(".tmp")
    torch.save(content, temporary)
    temporary.replace(path)


def report(stage: str, index: int, total: int, start: float, **values: float) -> None:
    """A line of progress at every hundredth of the work."""
    if index % max(1, total // 100) == 0 or index + 1 == total:
        elapsed = time.time() - start
        left = elapsed / (index + 1) * (total - index - 1)
        figures = " ".join(f"{name} {value:.5f}" for name, value in values.items())
        print(
            f"{stage} {index + 1}/{total} {figures} {elapsed:.0f} s, {left:.0f} s left", flush=True
        )


def main() -> None:
    """Runs the stages that are not done yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--mocap", type=Path, required=True, help="folder with joints22/ and manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("trainings/embedded"))
    parser.add_argument("--clips", type=int, default=9000)
    parser.add_argument("--codec-steps", type=int, default=1400)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint-every", type=int, default=500)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "arguments.json").write_text(json.dumps(vars(args), default=str, indent=2))
    render_clips(args.out, args.mocap, args.clips, args.seed)
    clips = torch.load(args.out / "clips.pt", weights_only=True, mmap=True)
    codec = train_codec(
        args.out, clips["videos"], args.codec_steps, torch.device(args.device), args.seed
    )
    latents = encode_clips(args.out, codec, clips["videos"], torch.device(args.device))
    tokenizer = build_t5_tokenizer(training_sentences(), VOCABULARY, TEXT_TOKENS)
    for step, models in train_denoiser(args.out, latents, clips, tokenizer, args):
        export(args.out, codec, models, tokenizer)
        print(f"step {step}: wrote {args.out / 'pipeline'}", flush=True)


if __name__ == "__main__":
    main()
