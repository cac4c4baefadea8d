"""The verbs of each action, trained and unseen. `{side}` stands for left or right."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Verb:
    """What somebody does, in the two forms that the templates of `captions` ask for."""

    does: str
    doing: str


def _verbs(*pairs: str) -> tuple[Verb, ...]:
    """Verbs from texts such as "walks / walking"."""
    return tuple(Verb(*pair.split(" / ")) for pair in pairs)


# The first verb of an action is that of its canonical caption.
VERBS: Final[dict[str, tuple[Verb, ...]]] = {
    "walk": _verbs(
        "walks / walking",
        "walks forward / walking forward",
        "takes a walk / taking a walk",
        "strolls / strolling",
    ),
    "run": _verbs(
        "runs / running",
        "runs forward / running forward",
        "jogs / jogging",
        "goes for a run / going for a run",
    ),
    "jump": _verbs(
        "jumps / jumping",
        "jumps up / jumping up",
        "does a jump / doing a jump",
        "leaps into the air / leaping into the air",
    ),
    "jumping jacks": _verbs(
        "does jumping jacks / doing jumping jacks",
        "performs jumping jacks / performing jumping jacks",
        "exercises with jumping jacks / exercising with jumping jacks",
    ),
    "wave": _verbs(
        "waves with the {side} hand / waving with the {side} hand",
        "waves the {side} hand / waving the {side} hand",
        "waves hello with the {side} hand / waving hello with the {side} hand",
        "waves with the {side} arm / waving with the {side} arm",
    ),
    "squat": _verbs(
        "squats / squatting",
        "does squats / doing squats",
        "squats down and stands up / squatting down and standing up",
        "performs squats / performing squats",
    ),
    "kick": _verbs(
        "kicks with the {side} leg / kicking with the {side} leg",
        "kicks with the {side} foot / kicking with the {side} foot",
        "does a {side} kick / doing a {side} kick",
    ),
    "punch": _verbs(
        "punches with the {side} hand / punching with the {side} hand",
        "punches with the {side} arm / punching with the {side} arm",
        "boxes with the {side} fist / boxing with the {side} fist",
        "punches with the {side} fist / punching with the {side} fist",
    ),
    "raise both arms": _verbs(
        "raises both arms / raising both arms",
        "lifts both arms overhead / lifting both arms overhead",
        "raises the arms above the head / raising the arms above the head",
    ),
    "bow": _verbs(
        "bows / bowing",
        "takes a bow / taking a bow",
        "bends forward to bow / bending forward to bow",
    ),
    "stand": _verbs(
        "stands still / standing still",
        "stands / standing",
        "just stands there / just standing there",
    ),
    "dance": _verbs(
        "dances / dancing",
        "does a dance / doing a dance",
        "performs a dance / performing a dance",
        "dances from side to side / dancing from side to side",
    ),
    "sit": _verbs(
        "sits down / sitting down",
        "takes a seat / taking a seat",
        "sits down on a chair / sitting down on a chair",
    ),
    "drink": _verbs(
        "drinks with the {side} hand / drinking with the {side} hand",
        "takes a drink with the {side} hand / taking a drink with the {side} hand",
        "drinks from a cup in the {side} hand / drinking from a cup in the {side} hand",
    ),
    "cartwheel": _verbs(
        "does a cartwheel / doing a cartwheel",
        "performs a cartwheel / performing a cartwheel",
        "turns a cartwheel / turning a cartwheel",
    ),
    "crawl": _verbs(
        "crawls / crawling",
        "crawls forward / crawling forward",
        "crawls on the floor / crawling on the floor",
    ),
    "backflip": _verbs(
        "does a backflip / doing a backflip",
        "performs a backflip / performing a backflip",
        "flips backwards / flipping backwards",
    ),
    "roll": _verbs(
        "rolls forward / rolling forward",
        "does a forward roll / doing a forward roll",
        "rolls on the floor / rolling on the floor",
    ),
    "throw": _verbs(
        "throws with the {side} hand / throwing with the {side} hand",
        "throws with the {side} arm / throwing with the {side} arm",
        "throws a ball with the {side} hand / throwing a ball with the {side} hand",
    ),
}
# Never trained: what becomes of them shows how far a model goes beyond its words.
UNSEEN_VERBS: Final[dict[str, tuple[Verb, ...]]] = {
    "walk": _verbs("marches / marching", "wanders / wandering"),
    "run": _verbs("sprints / sprinting", "races / racing"),
    "jump": _verbs("hops / hopping", "bounces / bouncing"),
    "jumping jacks": _verbs("does star jumps / doing star jumps"),
    "wave": _verbs("greets with the {side} hand / greeting with the {side} hand"),
    "squat": _verbs("crouches / crouching", "does knee bends / doing knee bends"),
    "kick": _verbs("shoots with the {side} foot / shooting with the {side} foot"),
    "punch": _verbs("strikes with the {side} hand / striking with the {side} hand"),
    "raise both arms": _verbs("reaches up / reaching up", "cheers / cheering"),
    "bow": _verbs("curtsies / curtsying", "leans ahead / leaning ahead"),
    "stand": _verbs("waits / waiting", "rests / resting"),
    "dance": _verbs("grooves / grooving", "swings the hips / swinging the hips"),
    "sit": _verbs("lowers onto a stool / lowering onto a stool"),
    "drink": _verbs("sips with the {side} hand / sipping with the {side} hand"),
    "cartwheel": _verbs("wheels sideways / wheeling sideways"),
    "crawl": _verbs("creeps / creeping", "goes on all fours / going on all fours"),
    "backflip": _verbs("somersaults backwards / somersaulting backwards"),
    "roll": _verbs("tumbles / tumbling"),
    "throw": _verbs("hurls with the {side} hand / hurling with the {side} hand"),
}
