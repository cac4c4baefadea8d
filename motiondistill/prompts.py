"""Words: the view named in a prompt, and prompts made safe for file names."""

import math
import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, assert_never

VIEW_NAMES: Final = (
    "front view",
    "front left view",
    "left side view",
    "back left view",
    "back view",
    "back right view",
    "right side view",
    "front right view",
)


def view_index(azimuth: float) -> int:
    """Index in `VIEW_NAMES` of the eighth of the circle that holds `azimuth`.

    Radians against the heading.
    """
    return math.floor(azimuth / (2 * math.pi) * len(VIEW_NAMES) + 0.5) % len(VIEW_NAMES)


def view_name(azimuth: float) -> str:
    """The words for a camera at `azimuth` (radians): which side of the subject it sees."""
    return VIEW_NAMES[view_index(azimuth)]


def with_view(prompt: str, azimuth: float) -> str:
    """The prompt with the view's words: `a person is walking, left side view`."""
    return with_words(prompt, view_name(azimuth))


def with_words(prompt: str, words: str) -> str:
    """The prompt and further words; the empty prompt stays empty: it stands for no text at all."""
    return f"{prompt}, {words}" if prompt else ""


@dataclass(frozen=True)
class Wording:
    """How prompts are said of a clip that is seen from some side; the defaults are `with_view`."""

    # The prompt at {prompt}, and at {view} the words for the side, such as `front view`.
    template: str = "{prompt}, {view}"
    # The same of the negative prompt. An empty prompt stays empty in both.
    negative_template: str = "{prompt}, {view}"
    # `eighths` tells eight sides apart, `quarters` front, side and back. `legacy` names these as
    # the paper's code did, which takes angles from 0 to 360 degrees for -180 to 180: it calls the
    # other half of the front and of the back a side.
    views: Literal["eighths", "quarters", "legacy"] = "eighths"

    def __post_init__(self) -> None:
        _check_template("template", self.template)
        _check_template("negative_template", self.negative_template)

    def positive(self, prompt: str, azimuth: float) -> str:
        """The prompt as seen from `azimuth`, radians against the heading."""
        return self.filled(prompt, self.view(azimuth))

    def negative(self, prompt: str, azimuth: float) -> str:
        """The negative prompt as seen from there."""
        words = self.negative_template.format(prompt=prompt, view=self.view(azimuth))
        return words if prompt else ""

    def filled(self, prompt: str, view: str) -> str:
        """The prompt with these words for the view."""
        return self.template.format(prompt=prompt, view=view) if prompt else ""

    def view(self, azimuth: float) -> str:
        """The words for a camera at `azimuth`."""
        match self.views:
            case "eighths":
                return view_name(azimuth)
            case "quarters":
                return _front_side_back(math.degrees(math.remainder(azimuth, 2 * math.pi)))
            case "legacy":
                return _front_side_back(math.degrees(azimuth % (2 * math.pi)))
            case _:
                assert_never(self.views)


def _front_side_back(degrees: float) -> str:
    """The paper's names: front within 45 degrees, back beyond 135 and up to 180, else side."""
    angle = abs(degrees)
    if angle <= 45:
        return "front view"
    return "back view" if 135 < angle <= 180 else "side view"


def _check_template(name: str, template: str) -> None:
    try:
        found = {field for _, field, _, _ in string.Formatter().parse(template)} - {None}
    except ValueError:
        found = set()
    if not {"prompt"} <= found <= {"prompt", "view"}:
        raise ValueError(
            f"`words.{name}` must hold {{prompt}}, may hold {{view}}, and no other braces, got "
            f"{template!r}; write such as '{{prompt}}, {{view}}'."
        )


def slug(prompt: str, max_length: int = 40) -> str:
    """A file name of the prompt's ASCII letters and digits alone; never empty, never a path."""
    ascii_text = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")
    return words[:max_length].rstrip("-") or "prompt"
