"""A page in the browser that shows clips side by side, by viser."""

import textwrap
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, final

from motiondistill.viewer.clips import Clip

LOOPBACK: Final = "127.0.0.1"
INSTALL: Final = 'pip install "motiondistill[view]"'
_TICK: Final = 1 / 30
_SPEEDS: Final = ("0.25", "0.5", "1", "2")
_SPACING: Final = 1.2
_SHOWN: Final = ("body", "skeleton", "both")
_STEPS: Final = {"previous frame": -1, "next frame": 1}
_KEYS: Final = "Space plays and pauses, the arrow keys ← and → step."
_ABOVE: Final = 0.06  # metres, of a name over the head
_LETTERS: Final = 22  # in a line of a name: neighbours stand close


@final
class Stage:
    """What is shown, and the timeline; `tick` moves it on.

    The page can be reached from this machine alone, unless another host is named.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 8080) -> None:
        """Opens the page at this port, or the next one that is free.

        Raises ImportError without viser.
        """
        try:
            import viser
        except ImportError as error:
            raise ImportError(f"the viewer needs the library viser; {INSTALL}.") from error
        self._server = viser.ViserServer(host=host, port=port, verbose=False, label="motiondistill")
        self.address = f"http://{host}:{self._server.get_port()}"
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._clips: Sequence[Clip] = ()
        self._meshes: list[list[Any]] = []
        self._bones: list[Any] = []
        self._frames: list[Any] = []
        self._names: list[Any] = []
        self._seen = self._told = 0.0
        self._look: tuple[object, ...] = ()
        self._build()

    def _build(self) -> None:
        scene, gui = self._server.scene, self._server.gui
        self._words = gui.add_markdown(_KEYS)
        scene.set_up_direction("+y")
        scene.add_grid("/ground", plane="xz", infinite_grid=True, section_size=1.0, cell_size=0.5)
        # viser declares its values read-only to type checkers, and sets them all the same.
        self._play: Any = gui.add_checkbox("play", initial_value=True)
        steps = gui.add_button_group("step", tuple(_STEPS))
        steps.on_click(lambda event: self.step(_STEPS[event.target.value]))
        gui.add_command("play or pause", hotkey="space").on_trigger(lambda _: self.toggle())
        gui.add_command("previous frame", hotkey="arrowleft").on_trigger(lambda _: self.step(-1))
        gui.add_command("next frame", hotkey="arrowright").on_trigger(lambda _: self.step(1))
        self._time: Any = gui.add_slider("seconds", min=0.0, max=1.0, step=0.01, initial_value=0.0)
        self._speed = gui.add_dropdown("speed", _SPEEDS, initial_value="1")
        self._kind = gui.add_dropdown("show", _SHOWN, initial_value="body")
        self._spacing = gui.add_slider(
            "spacing", min=0.0, max=3.0, step=0.1, initial_value=_SPACING, hint="metres"
        )

    @property
    def seconds(self) -> float:
        """Where the timeline stands."""
        return float(self._time.value)

    def show(self, clips: Sequence[Clip]) -> None:
        """Shows these, side by side; where the same bodies are shown already, they move anew."""
        with self._lock, self._server.atomic():
            same = [clip.name for clip in clips] == [clip.name for clip in self._clips]
            self._clips = clips
            if not same:
                self._place()
            longest = max((clip.duration for clip in clips), default=0.0)
            self._time.max = max(0.01, round(longest, 2))
            self._look = ()
            self._draw()

    def tell(self, words: str) -> None:
        """Shows words above the controls."""
        with self._lock:
            if not self._stopped.is_set():
                self._words.content = words

    def toggle(self) -> None:
        """Plays, or pauses what plays."""
        with self._lock:
            self._play.value = not self._play.value

    def step(self, by: int) -> None:
        """Pauses, and goes on by so many frames of the finest clip, around."""
        with self._lock:
            if not self._clips or self._stopped.is_set():
                return
            finest = max(self._clips, key=lambda clip: clip.fps)
            self._play.value = False
            longest = max(clip.duration for clip in self._clips)
            count = round(longest * finest.fps) + 1
            frame = (round(self._seen * finest.fps) + by) % count
            self._to(frame / finest.fps)

    def tick(self, passed: float) -> None:
        """So many seconds of the clock have passed; a timeline that was dragged pauses there."""
        with self._lock:
            if self._stopped.is_set():
                return
            end = float(self._time.max)
            if self.seconds != self._told:
                self._play.value = False
                self._seen = self.seconds
            elif self._play.value:
                self._seen += passed * float(self._speed.value)
                self._seen = self._seen % end if self._seen > end else self._seen
            self._to(min(self._seen, end))

    def run(self) -> None:
        """Plays until it is interrupted or stopped."""
        before = time.monotonic()
        while not self._stopped.is_set():
            time.sleep(_TICK)
            now = time.monotonic()
            self.tick(now - before)
            before = now

    def stop(self) -> None:
        """Closes the page."""
        self._stopped.set()
        with self._lock:
            self._server.flush()  # so that last words are seen
            self._server.stop()

    def _to(self, seconds: float) -> None:
        """The timeline stands there, between two of its own steps, too."""
        self._seen = seconds
        with self._server.atomic():
            self._time.value = self._told = round(seconds, 2)
            self._draw()

    def _place(self) -> None:
        """The bodies in place of those before, and the camera before them."""
        for frame in self._frames:
            frame.remove()
        self._meshes, self._bones, self._frames, self._names = [], [], [], []
        for index, clip in enumerate(self._clips):
            self._add(f"/clip{index}", clip)
        camera = self._server.initial_camera
        camera.position = (0.0, 1.4, 2.0 + 0.6 * len(self._clips))
        camera.look_at = (0.0, 0.9, 0.0)

    def _add(self, name: str, clip: Clip) -> None:
        scene = self._server.scene
        self._frames.append(scene.add_frame(name, show_axes=False))
        meshes = []
        for piece in clip.pieces:
            meshes.append(
                scene.add_mesh_simple(
                    f"{name}/{piece.name}",
                    piece.points(clip.vertices[0]),
                    piece.faces,
                    color=piece.colour,
                    side="double",
                )
            )
        self._meshes.append(meshes)
        self._bones.append(
            scene.add_line_segments(
                f"{name}/bones", clip.bones(0), colors=(40, 40, 48), thickness=0.03
            )
        )
        words = textwrap.fill(clip.name, _LETTERS)
        self._names.append(scene.add_label(f"{name}/name", words, anchor="bottom-center"))

    def _draw(self) -> None:
        """What has changed since it was last drawn."""
        frames = [clip.frame_at(self._seen) for clip in self._clips]
        kind = self._kind.value
        look = (frames, kind, self._spacing.value)
        if look == self._look:
            return
        if self._look[1:2] != (kind,):
            self._dress(str(kind))
        self._look = look
        middle = (len(self._clips) - 1) / 2
        for index, (clip, frame) in enumerate(zip(self._clips, frames, strict=True)):
            self._frames[index].position = ((index - middle) * self._spacing.value, 0.0, 0.0)
            for piece, mesh in zip(clip.pieces, self._meshes[index], strict=True):
                mesh.vertices = piece.points(clip.vertices[frame])
            x, top, z = clip.crown(frame)
            self._names[index].position = (x, top + _ABOVE, z)
            self._bones[index].points = clip.bones(frame)

    def _dress(self, kind: str) -> None:
        """The bodies or their bones are seen; apart from what moves, which is set often."""
        for meshes, bones in zip(self._meshes, self._bones, strict=True):
            for mesh in meshes:
                mesh.visible = kind != "skeleton"
                mesh.opacity = 0.3 if kind == "both" else None
            bones.visible = kind != "body"
