"""Pages as single files: nothing of them lies elsewhere, and no text in them is taken for code."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_KINDS: Final = {
    ".css": "text/css",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mp4": "video/mp4",
    ".npz": "application/octet-stream",
    ".png": "image/png",
    ".yaml": "text/plain",
}


def document(template: str, scripts: Sequence[str], parts: Mapping[str, str]) -> str:
    """The page of a template of `report/page`, with its style and scripts inside.

    Args:
        template: The name of the file, which begins with the page's body.
        scripts: Files of `report/page` that make up the page's only script, in order.
        parts: HTML by the name of its `{{place}}` in the template, and the `title` for its head.

    The page's policy forbids what is not in the file, and scripts but this one: what a prompt might
    smuggle in would not run.
    """
    # A strict mode of its own, and no names of its own in the page.
    body = "\n".join(map(page_file, scripts))
    script = f"(() => {{\n{body}\n}})();\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        # What is too large to be inside lies beside the page, on a disk (file:) or a server.
        "default-src 'none'; img-src data: 'self' file:; media-src data: 'self' file:; "
        "style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    own = {"policy": policy, "style": page_file("page.css"), "script": script}
    return fill(page_file("head.html") + page_file(template), own | dict(parts))


def page_file(name: str) -> str:
    """The text of a file of `report/page`."""
    return (files("motiondistill.report") / "page" / name).read_text(encoding="utf-8")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template with every `{{name}}` replaced; what comes in is not looked at again."""
    return _PLACE.sub(lambda found: parts[found[1]], template)


def text(words: object) -> str:
    """Words as HTML that shows them, also within an attribute's double quotes."""
    return html.escape(str(words))


def data_element(values: Any) -> str:
    """Values as JSON for a script element, which no `</script>` in them can end."""
    plain = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        plain = plain.replace(letter, f"\\u{ord(letter):04x}")
    return plain


def data_uri(content: bytes, suffix: str) -> str:
    """The content as an address that holds it; `suffix` is that of a file of its kind."""
    return f"data:{_KINDS[suffix]};base64,{base64.b64encode(content).decode()}"


def address(path: Path, most: int) -> str:
    """The file as a data address or, from `most` bytes on, as the name beside the page."""
    if path.stat().st_size >= most:
        return path.name
    return data_uri(path.read_bytes(), path.suffix)


def size_in_words(count: int) -> str:
    """A number of bytes for people: `640 kB`."""
    if count >= 1e6:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1e3 else f"{count} bytes"
