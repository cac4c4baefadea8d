"""One update of score distillation: the clip is looked at, and priors say what they ask for."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill import parallel
from motiondistill.cameras import heading, view_azimuths
from motiondistill.critics import MAIN, Critic, draw
from motiondistill.critics import Levels as Levels
from motiondistill.critics import Method as Method
from motiondistill.distill_memory import Held, Memory
from motiondistill.distill_settings import DistillSettings as DistillSettings
from motiondistill.inquiry import Answer, Case, Look, answer, make_case
from motiondistill.profile import timed
from motiondistill.randomness import seeded
from motiondistill.render.randomization import randomized
from motiondistill.score.levels import log_snr
from motiondistill.score.loss import root_mean_square
from motiondistill.starts import Problem
from motiondistill.structures import Mesh, Motion


@final
@dataclass(frozen=True)
class Verdict:
    """What the critics say of a motion."""

    terms: dict[str, Float[Tensor, ""]]
    """One for each critic: the gradient of their sum is what is asked for; values mean nothing."""
    video: Float[Tensor, "views frames 3 height width"]
    target: Float[Tensor, "views C f h w"] | None
    """The latents that the problem's own prior asks for, before weight and shaping."""
    figures: dict[str, Float[Tensor, ""]]
    """To be recorded: the levels' mean log-SNR, the gradient's size, the guidance's scale, ..."""


def critics_of(problem: Problem, knobs: DistillSettings, method: Method) -> list[Critic]:
    """Who judges: the problem's own prior, unless it counts nothing, and the others."""
    main = Critic(MAIN, problem.prior, knobs, method, problem.negative_prompt, weight=knobs.weight)
    return [critic for critic in (main, *problem.critics) if critic.weight]


def judge(
    problem: Problem,
    knobs: DistillSettings,
    method: Method,
    memories: list[Memory],
    motion: Motion,
    mesh: Mesh,
    *,
    index: int,
    begin: int,
) -> Verdict:
    """What the critics ask of the motion and its mesh at the update `index`; the first is `begin`.

    Each has a memory, in their order; those that are missing are added. All look at the same views,
    and all draws are those of the update in which the target was asked for. The views are evaluated
    in `knobs.accumulate` parts, by each of the processes that there are; raises ValueError where
    they cannot be dealt out evenly.
    """
    critics = critics_of(problem, knobs, method)
    memories += [Memory() for _ in critics[len(memories) :]]
    step = target_step(knobs, index, begin)
    if step == index:
        for memory in memories:
            memory.held = None
    generator = seeded(problem.seed, step, "distill")
    azimuths = view_azimuths(knobs.views, jitter=knobs.azimuth_jitter, generator=generator)
    facing = heading(motion) if memories[0].held is None else memories[0].held.heading
    progress = (step - begin) / knobs.num_steps
    size, cases = (motion.num_frames, *problem.cameras.size), []
    for critic, memory in zip(critics, memories, strict=True):
        own = generator if critic.name == MAIN else seeded(problem.seed, step, critic.name)
        draws = draw(critic, progress, knobs.views, size, own)
        case = make_case(problem, critic, memory, motion, draws, step=step, progress=progress)
        cases.append(case)
    look = _look(problem, azimuths, facing, step)
    parts = view_parts(knobs)
    if len(parts) == 1:
        video = look(mesh)
        answers = [answer(case, look, video) for case in cases]
    else:
        video, answers = _in_parts(cases, look, mesh, parts)
    for case, said in zip(cases, answers, strict=True):
        _adapt(case)
        if case.target is None and knobs.updates_per_target > 1:
            case.memory.held = Held(said.target, facing)
    return _verdict(cases, answers, video)


def target_step(knobs: DistillSettings, index: int, begin: int) -> int:
    """The update in which the target of the update `index` was asked for."""
    return index - (index - begin) % knobs.updates_per_target


def view_parts(knobs: DistillSettings) -> list[slice]:
    """The views that are evaluated together, of all processes.

    Raises ValueError where they cannot be dealt out evenly.
    """
    count = knobs.accumulate * parallel.size()
    if knobs.views % count:
        raise ValueError(
            f"`score.views` must be a multiple of score.accumulate={knobs.accumulate} times the "
            f"{parallel.size()} processes, got {knobs.views}; take {count} or another multiple."
        )
    length = knobs.views // count
    return [slice(first, first + length) for first in range(0, knobs.views, length)]


def _look(
    problem: Problem, azimuths: Float[Tensor, " views"], facing: Float[Tensor, ""], step: int
) -> Look:
    scene = randomized(problem.scene, problem.changes, seeded(problem.seed, step, "scene"))
    cameras = problem.cameras.varied(azimuths + facing, seeded(problem.seed, step, "camera"))
    return Look(scene, cameras, azimuths)


def _in_parts(
    cases: Sequence[Case], look: Look, mesh: Mesh, parts: Sequence[slice]
) -> tuple[Float[Tensor, "views frames 3 height width"], list[Answer]]:
    """Video and answers as of all views at once; each part's graph is freed before the next's.

    What all parts ask of the mesh is summed, and the first answer's loss gets it for its gradient.
    """
    vertices, joints = (part.detach().requires_grad_() for part in (mesh.vertices, mesh.joints))
    seen = dataclasses.replace(mesh, vertices=vertices, joints=joints)
    videos, heard = [], []
    for views in parallel.own(parts):
        there = look.part(views)
        video = there(seen)
        said = [answer(case.part(views), there, video, 1 / len(parts)) for case in cases]
        with timed("backward"):
            loss = torch.stack([one.loss for one in said]).sum()
            loss.backward()  # type: ignore[no-untyped-call]
        videos.append((views, video.detach()))
        heard.append([dataclasses.replace(one, loss=one.loss.detach()) for one in said])
    answers = [
        _joined(case, parts, [said[index] for said in heard]) for index, case in enumerate(cases)
    ]
    pulls = [
        (part * parallel.summed(leaf.grad)).sum()
        for part, leaf in ((mesh.vertices, vertices), (mesh.joints, joints))
        if leaf.grad is not None
    ]
    pull = torch.stack(pulls).sum()
    loss = answers[0].loss + (pull - pull.detach())
    answers[0] = dataclasses.replace(answers[0], loss=loss)
    return _whole(videos, parts), answers


def _joined(case: Case, parts: Sequence[slice], said: Sequence[Answer]) -> Answer:
    """One critic's answers about this process' parts, and those of the other processes, in one."""
    places = [case.critic.rows(views) for views in parallel.own(parts)]
    rows = [case.critic.rows(views) for views in parts]
    lessons = [one.lesson_loss for one in said if one.lesson_loss is not None]
    return Answer(
        parallel.summed(torch.stack([one.loss for one in said]).sum()),
        _whole(zip(places, [one.gradient for one in said], strict=True), rows),
        _whole(zip(places, [one.target for one in said], strict=True), rows),
        parallel.summed(torch.stack(lessons).sum()) if lessons else None,
    )


def _whole(
    pieces: Iterable[tuple[slice, Float[Tensor, "some ..."]]], places: Sequence[slice]
) -> Float[Tensor, "all ..."]:
    """The pieces of all processes in one tensor, each in its place."""
    own = list(pieces)
    whole = own[0][1].new_zeros(places[-1].stop, *own[0][1].shape[1:])
    for place, piece in own:
        whole[place] = piece
    return parallel.summed(whole)


def _adapt(case: Case) -> None:
    """Lets the critic's adaptation, if it has one, follow what it has learned of all views."""
    adaptation = case.memory.adaptation
    if case.lesson is None or adaptation is None:
        return
    for part in adaptation.parameters:
        part.grad = None if part.grad is None else parallel.summed(part.grad)
    adaptation.step(case.critic.knobs.lora_learning_rate)


def _verdict(
    cases: Sequence[Case],
    answers: Sequence[Answer],
    video: Float[Tensor, "views frames 3 height width"],
) -> Verdict:
    """The answers of all critics in one."""
    terms, target = {}, None
    figures: dict[str, Float[Tensor, ""]] = {}
    for case, said in zip(cases, answers, strict=True):
        name = case.critic.name
        terms[name] = said.loss
        found = {} if said.lesson_loss is None else {"adaptation_loss": said.lesson_loss}
        found["log_snr"] = log_snr(case.draws.sigma).mean()
        found["score_gradient"] = root_mean_square(said.gradient)
        found["guidance_scale"] = torch.tensor(case.guidance.scale)
        if name == MAIN:
            target, figures = said.target, found | figures
        else:
            figures |= {f"{name}_{key}": value for key, value in found.items()}
    return Verdict(terms, video, target, figures)
