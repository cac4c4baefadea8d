// The view of the player: turned by dragging, zoomed by the wheel, and by keys and buttons.

const FOV = 0.5;
const SIDES = { front: 0, left: Math.PI / 2, back: Math.PI, right: -Math.PI / 2 };

class View {
  constructor(body) {
    const size = body.high.map((high, axis) => high - body.low[axis]);
    this.target = body.high.map((high, axis) => (high + body.low[axis]) / 2);
    this.radius = Math.max(0.5, Math.hypot(...size) / 2);
    this.heading = body.heading;
    this.reset();
  }

  reset() {
    this.azimuth = 0.35;
    this.elevation = 0.15;
    this.zoom = 1;
  }

  face(side) {
    this.azimuth = SIDES[side];
    this.elevation = 0.1;
  }

  turn(right, up) {
    this.azimuth -= right;
    this.elevation = Math.min(1.5, Math.max(-0.2, this.elevation + up));
  }

  scale(factor) {
    this.zoom = Math.min(6, Math.max(0.3, this.zoom * factor));
  }

  camera(aspect) {
    // All of the motion fits, in the narrower of both directions.
    const half = Math.atan(Math.tan(FOV / 2) * Math.min(1, aspect));
    const distance = (this.radius * 0.92) / Math.sin(half) / this.zoom;
    const direction = (azimuth, elevation) => [
      Math.sin(azimuth + this.heading) * Math.cos(elevation),
      Math.sin(elevation),
      Math.cos(azimuth + this.heading) * Math.cos(elevation),
    ];
    const back = direction(this.azimuth, this.elevation);
    return {
      eye: this.target.map((x, axis) => x + distance * back[axis]),
      target: this.target,
      fov: FOV,
      near: distance / 50,
      far: distance * 10,
      reach: 2.5 * this.radius,
      light: direction(this.azimuth + 0.6, 0.9),
    };
  }
}

function steer(canvas, view, redraw) {
  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const others = [...pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    if (others.length) {
      view.scale(apart(event, others[0]) / Math.max(1, apart(before, others[0])));
    } else {
      view.turn((event.clientX - before.clientX) / 110, (event.clientY - before.clientY) / 160);
    }
    pointers.set(event.pointerId, event);
    redraw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      view.scale(Math.exp(-event.deltaY / 600));
      redraw();
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", () => {
    view.reset();
    redraw();
  });
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.1] };
    const turn = { ...turns, ArrowDown: [0, -0.1] }[event.key];
    const zoom = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (event.shiftKey && turn) view.turn(...turn);
    else if (zoom) view.scale(zoom);
    else if (event.key === "0") view.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
    redraw();
  });
}
