"""Which action a text is about: a caption, a class, or the name of a file."""

import re
from typing import Final

# Words of each action, the longest names first: what a name has taken is not read again.
_NAMES: Final[dict[str, str]] = {
    "jumping jacks": r"jumping ?jacks?|star jumps?",
    "raise both arms": r"(rais|lift)\w* ((both|the|his|her|their|two) )*(arms|hands)",
    "cartwheel": r"cart ?wheel(s|ed|ing)?",
    "backflip": r"back ?flip(s|ped|ping)?|flip(s|ped|ping)? backwards?",
    "crawl": r"(?<!front )crawl(s|ed|ing)?",
    "roll": r"roll(s|ed|ing)?",
    "bow": r"bow(s|ed|ing)?",
    "throw": r"throw(s|n|ing)?|threw|toss(es|ed|ing)?",
    "drink": r"drinks?|drank|drinking|sip(s|ped|ping)?",
    "sit": r"sits?(?! ups?\b)|sat|sitting",
    "dance": r"danc(e|es|ed|ing)",
    "punch": r"punch(es|ed|ing)?|box(es|ed|ing)|jab(s|bed|bing)?",
    "kick": r"kick(s|ed|ing)?",
    "squat": r"squat(s|ted|ting)?",
    "wave": r"wav(e|es|ed|ing)",
    "jump": r"jump(s|ed|ing)?|hop(s|ped|ping)?|leap(s|ed|ing)?",
    "run": r"runs?|ran|running|jog(s|ged|ging)?",
    "walk": r"walk(s|ed|ing)?|stroll(s|ed|ing)?",
    "stand": r"stands?|stood|standing|idle",
}


def words_of(text: str) -> str:
    """The text in small letters, apart where a name joins words: `SitDown_02` is `sit down 02`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[^a-zA-Z0-9]+|(?<=[a-zA-Z])(?=\d)", " ", apart).lower().split())


def action_in(text: str) -> str | None:
    """The action that the text names; None if it names none, or several that cannot be told apart.

    Whoever does something else besides standing does not just stand.
    """
    found = actions_in(text)
    return found[0] if len(found) == 1 else None


def actions_in(text: str) -> tuple[str, ...]:
    """All actions that the text names; standing only where it is alone."""
    rest, found = words_of(text), []
    for action, names in _NAMES.items():
        rest, count = re.subn(rf"\b({names})\b", " ", rest)
        if count:
            found.append(action)
    if len(found) > 1 and "stand" in found:
        found.remove("stand")
    return tuple(found)
