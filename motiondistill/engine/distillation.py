"""One update of score distillation: the clip is looked at, and priors say what they ask for."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from motiondistill.cameras import heading, view_azimuths
from motiondistill.engine import parallel
from motiondistill.engine.critics import MAIN, Critic, Method, draw
from motiondistill.engine.gradients import broken, watch
from motiondistill.engine.inquiry import Answer, Case, Look, answer, make_case
from motiondistill.engine.memory import Held, Memory
from motiondistill.engine.profile import timed
from motiondistill.engine.settings import DistillSettings
from motiondistill.engine.starts import Problem
from motiondistill.randomness import seeded
from motiondistill.render.randomization import randomized
from motiondistill.score.adaptation import Lesson
from motiondistill.score.levels import log_snr
from motiondistill.score.loss import root_mean_square
from motiondistill.structures import Mesh, Motion


@final
@dataclass(frozen=True)
class Verdict:
    """What the critics say of a motion. Nothing is learned or remembered before `settled`."""

    terms: dict[str, Float[Tensor, ""]]
    """One for each critic: the gradient of their sum is what is asked for; values mean nothing."""
    video: Float[Tensor, "views frames 3 height width"]
    target: Float[Tensor, "views C f h w"] | None
    """The latents that the problem's own prior asks for, before weight and shaping."""
    figures: dict[str, Float[Tensor, ""]]
    """To be recorded: the levels' mean log-SNR, the gradient's size, the guidance's scale, ...

    `azimuth_0` and so on are the views', radians against the heading.
    """
    memories: Sequence[Memory]
    """The critics', for the next update, but for what their adaptations are to learn."""
    lessons: Sequence[Lesson | None]
    """That, in the critics' order."""
    watched: dict[str, Float[Tensor, "..."]] = field(default_factory=dict)
    """Latents and pixels on the gradient's way, by the names of `sizes`."""
    sizes: dict[str, Float[Tensor, ""]] = field(default_factory=dict)
    """Root mean squares of the gradient where it has passed already, as it does with parts."""

    def settled(self) -> list[Memory]:
        """What to keep for the next update; the adaptations learn now.

        To be called once, when the motion has followed what was asked for.
        """
        for memory, lesson in zip(self.memories, self.lessons, strict=True):
            if lesson is not None and memory.adaptation is not None:
                with timed("adapt"):
                    memory.adaptation.follow(lesson)
        return list(self.memories)


def critics_of(problem: Problem, knobs: DistillSettings, method: Method) -> list[Critic]:
    """Who judges: the problem's own prior, unless it counts nothing, and the others."""
    main = Critic(
        MAIN,
        problem.prior,
        knobs,
        method,
        problem.negative_prompt,
        weight=knobs.weight,
        wording=problem.wording,
    )
    return [critic for critic in (main, *problem.critics) if critic.weight]


def judge(
    problem: Problem,
    knobs: DistillSettings,
    method: Method,
    memories: Sequence[Memory],
    motion: Motion,
    mesh: Mesh,
    *,
    index: int,
    begin: int,
) -> Verdict:
    """What the critics ask of the motion and its mesh at the update `index`; the first is `begin`.

    Each has a memory, in their order; before the first update there are none. All look at the same
    views, and all draws are those of the update in which the target was asked for. The views are
    evaluated in `knobs.accumulate` parts, by each of the processes that there are.

    Raises ValueError where they cannot be dealt out evenly, and FloatingPointError where an
    adaptation's gradient is not finite.
    """
    step = target_step(knobs, index, begin)
    generator = seeded(problem.seed, step, "distill")
    azimuths = view_azimuths(knobs.views, jitter=knobs.azimuth_jitter, generator=generator)
    critics = critics_of(problem, knobs, method)
    known = list(memories) or [Memory() for _ in critics]
    if step == index:
        known = [dataclasses.replace(memory, held=None) for memory in known]
    facing = heading(motion) if known[0].held is None else known[0].held.heading
    progress = (step - begin) / knobs.num_steps
    size, cases = (motion.num_frames, *problem.cameras.size), []
    for critic, memory in zip(critics, known, strict=True):
        own = generator if critic.name == MAIN else seeded(problem.seed, step, critic.name)
        draws = draw(critic, progress, knobs.views, size, own)
        case = make_case(problem, critic, memory, motion, draws, step=step, progress=progress)
        cases.append(case)
    look, parts = _look(problem, azimuths, facing, step), view_parts(knobs)
    sizes: dict[str, Float[Tensor, ""]] = {}
    place = problem.place(index)
    if len(parts) == 1:
        video = look(mesh)
        answers = [answer(case, look, video) for case in cases]
    else:
        video, answers, sizes = _in_parts(cases, look, mesh, parts, place)
    _check_lessons(answers, place)
    verdict = _verdict(cases, answers, video, azimuths)
    if knobs.updates_per_target > 1:
        verdict = _holding(verdict, answers, facing)
    return dataclasses.replace(verdict, sizes=sizes)


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
    cases: Sequence[Case], look: Look, mesh: Mesh, parts: Sequence[slice], place: str
) -> tuple[
    Float[Tensor, "views frames 3 height width"], list[Answer], dict[str, Float[Tensor, ""]]
]:
    """Video, answers and the gradient's sizes as of all views at once.

    Each part's graph is freed before the next's. What all parts ask of the mesh is summed, and the
    first answer's loss gets it for its gradient. Raises FloatingPointError where it is not finite.
    """
    vertices, joints = (part.detach().requires_grad_() for part in (mesh.vertices, mesh.joints))
    seen = dataclasses.replace(mesh, vertices=vertices, joints=joints)
    videos, heard, sizes = [], [], []
    for views in parallel.own(parts):
        there = look.part(views)
        video = there(seen)
        said = [answer(case.part(views), there, video, 1 / len(parts)) for case in cases]
        watched = watch("", **_watched(cases, said, video))
        with timed("backward"):
            loss = torch.stack([one.loss for one in said]).sum()
            loss.backward()  # type: ignore[no-untyped-call]
        videos.append((views, video.detach()))
        heard.append([one.detach() for one in said])
        sizes.append(watched.sizes)
    answers = [
        _joined(case, parts, [said[index] for said in heard]) for index, case in enumerate(cases)
    ]
    asked = [
        (part, parallel.summed(leaf.grad))
        for part, leaf in ((mesh.vertices, vertices), (mesh.joints, joints))
        if leaf.grad is not None
    ]
    mean_sizes = _mean_sizes(sizes, len(parts))
    if not all(bool(gradient.isfinite().all()) for _, gradient in asked):
        raise FloatingPointError(broken("the mesh", mean_sizes, place))
    pull = torch.stack([(part * gradient).sum() for part, gradient in asked]).sum()
    loss = answers[0].loss + (pull - pull.detach())
    answers[0] = dataclasses.replace(answers[0], loss=loss)
    return _whole(videos, parts), answers, mean_sizes


def _joined(case: Case, parts: Sequence[slice], said: Sequence[Answer]) -> Answer:
    """One critic's answers about this process' parts, and those of the other processes, in one."""
    places = [case.critic.rows(views) for views in parallel.own(parts)]
    rows = [case.critic.rows(views) for views in parts]

    def whole(name: str) -> Float[Tensor, "rows C f h w"]:
        return _whole(zip(places, [getattr(one, name) for one in said], strict=True), rows)

    lessons = [one.lesson for one in said if one.lesson is not None]
    return Answer(
        parallel.summed(torch.stack([one.loss for one in said]).sum()),
        whole("latents"),
        whole("gradient"),
        whole("target"),
        _joined_lesson(lessons) if lessons else None,
    )


def _joined_lesson(lessons: Sequence[Lesson]) -> Lesson:
    """What all parts of all processes teach together."""
    loss = parallel.summed(torch.stack([lesson.loss for lesson in lessons]).sum())
    each = zip(*(lesson.gradients for lesson in lessons), strict=True)
    gradients = [parallel.summed(torch.stack(parts).sum(0)) for parts in each]
    return Lesson(loss, gradients, lessons[0].learning_rate)


def _whole(
    pieces: Iterable[tuple[slice, Float[Tensor, "some ..."]]], places: Sequence[slice]
) -> Float[Tensor, "all ..."]:
    """The pieces of all processes in one tensor, each in its place."""
    own = list(pieces)
    whole = own[0][1].new_zeros(places[-1].stop, *own[0][1].shape[1:])
    for place, piece in own:
        whole[place] = piece
    return parallel.summed(whole)


def _mean_sizes(
    sizes: Sequence[dict[str, Float[Tensor, ""]]], parts: int
) -> dict[str, Float[Tensor, ""]]:
    """Root mean squares over all parts, which are equally large, from those of this process'."""
    squares = {
        # In the same order in all processes: hooks may fire in different ones.
        name: parallel.summed(torch.stack([size[name].square() for size in sizes]).sum())
        for name in sorted(sizes[0])
    }
    return {name: (squares[name] / parts).sqrt() for name in sizes[0]}


def _check_lessons(answers: Sequence[Answer], place: str) -> None:
    for said in answers:
        if said.lesson is not None and not said.lesson.is_finite():
            raise FloatingPointError(
                "The gradient of what the prior's copy learns must be finite, got others at "
                f"{place}; lower score.lora_learning_rate or the learning rate."
            )


def _holding(verdict: Verdict, answers: Sequence[Answer], facing: Float[Tensor, ""]) -> Verdict:
    """The verdict whose memories keep the new targets for the updates to come."""
    memories = [
        memory if memory.held else dataclasses.replace(memory, held=Held(said.target, facing))
        for memory, said in zip(verdict.memories, answers, strict=True)
    ]
    return dataclasses.replace(verdict, memories=memories)


def _verdict(
    cases: Sequence[Case],
    answers: Sequence[Answer],
    video: Float[Tensor, "views frames 3 height width"],
    azimuths: Float[Tensor, " views"],
) -> Verdict:
    """The answers of all critics in one."""
    figures = {f"azimuth_{view}": angle for view, angle in enumerate(azimuths)}
    for case, said in zip(cases, answers, strict=True):
        found = {} if said.lesson is None else {"adaptation_loss": said.lesson.loss}
        found["log_snr"] = log_snr(case.draws.sigma).mean()
        found["score_gradient"] = root_mean_square(said.gradient)
        found["guidance_scale"] = torch.tensor(case.guidance.scale)
        figures |= {case.critic.named(key): value for key, value in found.items()}
    names = [case.critic.name for case in cases]
    return Verdict(
        {name: said.loss for name, said in zip(names, answers, strict=True)},
        video,
        answers[0].target if names[0] == MAIN else None,
        figures,
        [case.memory for case in cases],
        [said.lesson for said in answers],
        _watched(cases, answers, video),
    )


def _watched(
    cases: Sequence[Case],
    answers: Sequence[Answer],
    video: Float[Tensor, "views frames 3 height width"],
) -> dict[str, Float[Tensor, "..."]]:
    """What the gradient is recorded at."""
    pairs = zip(cases, answers, strict=True)
    return {case.critic.named("latents"): said.latents for case, said in pairs} | {"pixels": video}
