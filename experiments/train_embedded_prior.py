"""Trains the embedded prior: a tiny Latte text-to-video model on renders of our own body.

    python experiments/train_embedded_prior.py --mocap FOLDER [--out trainings/embedded]
        [--steps 5700] [--seed 0] [--start PIPELINE]

Four stages: render clips, train the codec, encode the clips, train text encoder and denoiser
together by v-prediction. Stages that are done are skipped, and the last resumes at its newest
checkpoint. The result is written as a `LattePipeline` folder (`OUT/pipeline`), half precision. With
`--start`, codec and weights of such a folder are trained on. Uses a GPU where there is one.
`--threads` sets the CPU threads.
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
    AutoencoderKL,
    DDIMScheduler,
    LattePipeline,
    LatteTransformer3DModel,
)
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import T5Config, T5EncoderModel

from motiondistill.body.anny import anny_body
from motiondistill.cameras import Orbit
from motiondistill.data.captions import (
    PHRASES,
    SIDED_ACTIONS,
    SUBJECTS,
    canonical_caption,
    random_caption,
)
from motiondistill.data.choreography import SIDES
from motiondistill.data.dataset import action_dataset, mocap_windows
from motiondistill.priors import VideoFormat
from motiondistill.priors.loading import write_native
from motiondistill.priors.text import build_t5_tokenizer
from motiondistill.prompts import VIEW_NAMES
from motiondistill.randomness import seeded
from motiondistill.render.cpu import CpuRasterizer
from motiondistill.render.scene import Scene

FRAMES, FPS, SIZE = 16, 8.0, 64
CHANNELS = 4  # of the latents, 16 frames of 16x16
AZIMUTH_JITTER = math.radians(10)  # clips of one view word stay close to its centre
TEXT_WIDTH, TEXT_TOKENS, VOCABULARY = 128, 20, 512
CODEC_RATE, CODEC_BATCH = 2e-3, 24
SCHEDULER = DDIMScheduler(
    beta_schedule="linear",
    prediction_type="v_prediction",
    clip_sample=False,
    timestep_spacing="trailing",
)


def render_clips(out: Path, mocap: Path, count: int, seed: int) -> None:
    """Writes `count` captioned clips to `OUT/clips.pt`.

    They are videos [N F 3 H W] uint8, action and side of each, view indices.
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


def build_codec() -> AutoencoderKL:
    """A framewise image autoencoder, four times smaller in each direction.

    A causal video autoencoder (LTX's) of the same cost left fast arms blurred after an equal
    training on two cores: a frame is an easier thing to learn than four at once.
    """
    return AutoencoderKL(
        latent_channels=CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 24, 32),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def build_denoiser(width: int, layers: int) -> LatteTransformer3DModel:
    """A diffusion transformer over 16 patches of each of 16 frames, by turns in space and time."""
    return LatteTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=2 * CHANNELS,  # the pipeline expects, and drops, a learned variance
        num_attention_heads=4,
        attention_head_dim=width // 4,
        num_layers=layers,
        sample_size=SIZE // 4,
        patch_size=4,
        cross_attention_dim=width,
        caption_channels=TEXT_WIDTH,
        video_length=FRAMES,
        activation_fn="gelu-approximate",
        attention_bias=True,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        norm_eps=1e-6,
        num_embeds_ada_norm=1000,
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


def start_from(out: Path, folder: Path, tokenizer: Any) -> None:
    """Writes the models of a pipeline as the finished codec and as the denoiser of step 0."""
    if (out / "codec.pt").exists():
        print(f"{out} holds a training already: going on with it, not with {folder}")
        return
    pipeline = LattePipeline.from_pretrained(folder).to(torch.float32)
    if pipeline.tokenizer.get_vocab() != tokenizer.get_vocab():
        raise ValueError(
            "`--start` must be a pipeline whose tokenizer was made of today's captions, got "
            f"{folder}; start from one written by this script."
        )
    models = torch.nn.ModuleDict({"text": pipeline.text_encoder, "denoiser": pipeline.transformer})
    state = models.state_dict()
    save(out / "denoiser.pt", {"models": state, "average": state, "step": 0})
    save(out / "codec.pt", pipeline.vae.state_dict())


def train_codec(
    out: Path, videos: Tensor, steps: int, device: torch.device, seed: int
) -> AutoencoderKL:
    """The codec, trained to reproduce frames with unit latents.

    Errors on the moving body count more than on the still background.
    """
    torch.manual_seed(seed)
    codec = build_codec().to(device)
    if (out / "codec.pt").exists():
        codec.load_state_dict(torch.load(out / "codec.pt", weights_only=True))
        return codec
    optimizer = torch.optim.AdamW(codec.parameters(), lr=CODEC_RATE, betas=(0.9, 0.99))
    sample = videos[:: max(1, len(videos) // 64)]
    background = sample.float().flatten(0, 1).median(0).values.to(device) / 255
    start = time.time()
    for step in range(steps):
        generator = seeded(seed, step, "codec")
        set_rate(optimizer, CODEC_RATE, step, steps)
        clip = torch.randint(len(videos), (CODEC_BATCH,), generator=generator)
        frame = torch.randint(videos.shape[1], (CODEC_BATCH,), generator=generator)
        image = videos[clip, frame].to(device).float() / 255
        posterior = codec.encode(image * 2 - 1).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
        rebuilt = codec.decode(posterior.mean + posterior.std * noise).sample * 0.5 + 0.5
        weight = 1 + 5 * ((image - background).abs().amax(1, keepdim=True) > 0.03)
        error = rebuilt - image
        loss = (weight * (error.square() + 0.02 * error.abs())).mean()
        loss = loss + 1e-6 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        report("codec", step, steps, start, loss=loss.item())
    normalise(codec, encode(codec, videos[::20], device, "measure"))
    save(out / "codec.pt", codec.state_dict())
    return codec


@torch.no_grad()
def normalise(codec: AutoencoderKL, latents: Tensor) -> None:
    """Folds zero mean and unit deviation per channel into the 1x1 convolutions around the latents.

    The pipeline knows only one scale for all channels, so the codec itself must give such latents.
    """
    mean = latents.mean((0, 2, 3, 4)).to(codec.device)
    std = latents.std((0, 2, 3, 4)).to(codec.device)
    inward, outward = codec.quant_conv, codec.post_quant_conv
    outward.bias += outward.weight[..., 0, 0] @ mean
    outward.weight *= std[None, :, None, None]
    inward.weight[:CHANNELS] /= std[:, None, None, None]
    inward.bias[:CHANNELS] = (inward.bias[:CHANNELS] - mean) / std
    inward.bias[CHANNELS:] -= 2 * std.log()  # the log variance


@torch.no_grad()
def encode(codec: AutoencoderKL, videos: Tensor, device: torch.device, stage: str) -> Tensor:
    """The latents [N C F h w] of all videos."""
    codec = codec.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    start, latents = time.time(), []
    for first in range(0, len(videos), 8):
        batch = videos[first : first + 8].to(device).float() / 127.5 - 1
        with half_where_fast(device):
            modes = codec.encode(batch.flatten(0, 1)).latent_dist.mode().float().cpu()
        latents.append(modes.unflatten(0, batch.shape[:2]).transpose(1, 2))
        report(stage, first, len(videos), start)
    return torch.cat(latents)


def train_denoiser(
    out: Path, latents: Tensor, clips: dict[str, Any], tokenizer: Any, args: argparse.Namespace
) -> Iterator[tuple[int, torch.nn.ModuleDict]]:
    """Trains text encoder and denoiser.

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
    optimizer = torch.optim.AdamW(models.parameters(), betas=(0.9, 0.99), weight_decay=0.01)
    first = 0
    if (out / "denoiser.pt").exists():
        state = torch.load(out / "denoiser.pt", weights_only=True, map_location=device)
        models.load_state_dict(state["models"])
        average.load_state_dict(state["average"])
        if "optimizer" in state:
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
        loss = denoising_loss(models, tokenizer, latents[pick].to(device), captions, generator)
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


def denoising_loss(
    models: torch.nn.ModuleDict,
    tokenizer: Any,
    latents: Tensor,
    captions: list[str],
    generator: torch.Generator,
) -> Tensor:
    """Mean squared error of the predicted `v = a noise - s latents` (Salimans and Ho 2022)."""
    device = latents.device
    noise = torch.randn(latents.shape, generator=generator).to(device)
    # Nearly uniform: half of the linear schedule's timesteps lie where noise is over three times
    # the signal. There the text decides what happens; drawn less often, it was not learned at all.
    # What the first quarter needs, sharpness, is learned soonest: it gets a tenth of the draws.
    low = torch.rand(len(latents), generator=generator) < 0.1
    timestep = torch.where(
        low,
        torch.randint(0, 250, (len(latents),), generator=generator),
        torch.randint(250, 1000, (len(latents),), generator=generator),
    )
    signal = SCHEDULER.alphas_cumprod[timestep].to(device).view(-1, 1, 1, 1, 1)
    a, s = signal.sqrt(), (1 - signal).sqrt()
    tokens = tokenizer(
        captions,
        padding="max_length",
        max_length=TEXT_TOKENS,
        truncation=True,
        return_tensors="pt",
    ).to(device)
    # Over 16 tokens plain attention is far faster on a CPU than the fused kernel's backward pass.
    with half_where_fast(device), sdpa_kernel(SDPBackend.MATH):
        text = models["text"](tokens.input_ids, attention_mask=tokens.attention_mask)[0]
        velocity = models["denoiser"](
            hidden_states=a * latents + s * noise,
            timestep=timestep.to(device),
            encoder_hidden_states=text * tokens.attention_mask[..., None],
            return_dict=False,
        )[0]
    return F.mse_loss(velocity[:, :CHANNELS].float(), a * noise - s * latents)


def caption(label: tuple[str, str], view: int, generator: torch.Generator) -> str:
    """A caption for a clip: usually action and view.

    Sometimes less, so that guidance has what to contrast with.
    """
    draw = torch.rand((), generator=generator).item()
    if draw < 0.10:
        return ""
    if draw < 0.18:
        return f"a person, {VIEW_NAMES[view]}"
    plain = torch.rand((), generator=generator).item() < 0.7
    words = canonical_caption(*label) if plain else random_caption(*label, generator)
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


def export(out: Path, codec: AutoencoderKL, models: torch.nn.ModuleDict, tokenizer: Any) -> None:
    """Writes the averaged models as a half-precision `LattePipeline` folder."""
    parts = {"vae": codec, "text_encoder": models["text"], "transformer": models["denoiser"]}
    halves = {name: copy.deepcopy(part).cpu().half().eval() for name, part in parts.items()}
    LattePipeline(scheduler=SCHEDULER, tokenizer=tokenizer, **halves).save_pretrained(
        out / "pipeline"
    )
    write_native(out / "pipeline", VideoFormat(FPS, FRAMES, SIZE, SIZE), TEXT_TOKENS)


def half_where_fast(device: torch.device) -> torch.autocast:
    """Brain floats on a GPU and on CPUs that multiply them; elsewhere they cost tenfold."""
    fast = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


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
    parser.add_argument("--codec-steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=5700)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="a pipeline folder to train on from")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint-every", type=int, default=500)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "arguments.json").write_text(json.dumps(vars(args), default=str, indent=2))
    tokenizer = build_t5_tokenizer(training_sentences(), VOCABULARY, TEXT_TOKENS)
    if args.start:
        start_from(args.out, args.start, tokenizer)
    render_clips(args.out, args.mocap, args.clips, args.seed)
    clips = torch.load(args.out / "clips.pt", weights_only=True, mmap=True)
    device, videos = torch.device(args.device), clips["videos"]
    codec = train_codec(args.out, videos, args.codec_steps, device, args.seed)
    if not (args.out / "latents.pt").exists():
        save(args.out / "latents.pt", encode(codec, videos, device, "encode"))
    latents = torch.load(args.out / "latents.pt", weights_only=True)
    for step, models in train_denoiser(args.out, latents, clips, tokenizer, args):
        export(args.out, codec, models, tokenizer)
        print(f"step {step}: wrote {args.out / 'pipeline'}", flush=True)


if __name__ == "__main__":
    main()
