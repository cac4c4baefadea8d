"""Words: the view named in a prompt, and prompts made safe for file names."""

import math
import re
import unicodedata
from typing import Final

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


def slug(prompt: str, max_length: int = 40) -> str:
    """A file name of the prompt's ASCII letters and digits alone; never empty, never a path."""
    ascii_text = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")
    return words[:max_length].rstrip("-") or "prompt"
