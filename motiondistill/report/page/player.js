// One clock for the body and the videos, and the controls that set it.

const element = (name) => document.getElementById(name);

class Player {
  constructor(body, videos) {
    this.body = body;
    this.clock = new Clock(body.frames, body.fps);
    this.videos = videos;
    this.playing = false;
    this.smooth = true;
    this.view = new View(body);
    this.canvas = element("body");
    this.paint = painter(this.canvas, body);
    this.asked = false;
    if (videos.length && videos[0].requestVideoFrameCallback) this.follow(videos[0]);
  }

  frame() {
    return this.clock.frame();
  }

  go(frame) {
    this.clock.go(frame);
    this.redraw();
  }

  play(playing) {
    this.playing = playing;
    if (!playing) this.go(this.frame());
    this.clock.restart(performance.now());
    this.redraw();
  }

  // The clock is that of the frames which this video shows, while it plays.
  follow(video) {
    this.leader = video;
    const shown = (now, { mediaTime }) => {
      const counts = this.playing && !video.paused && !video.seeking;
      if (counts) this.clock.tell(now, this.start(mediaTime), video.duration);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  // Where the frame begins that is shown then; a file's own times are rounded.
  start(time) {
    return Math.round(time * this.body.fps) / this.body.fps;
  }

  redraw() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame((now) => {
      this.asked = false;
      this.tick(now);
    });
  }

  tick(now) {
    if (this.playing) {
      this.clock.advance(now);
      this.redraw();
    }
    this.draw();
    this.videos.forEach((video) => this.lead(video, now));
    this.tell();
  }

  draw() {
    if (!this.paint) return;
    const density = Math.min(2, window.devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [clientWidth, clientHeight].map((side) => Math.round(side * density));
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const shown = this.smooth && this.playing ? this.clock.smooth() : this.frame();
    this.paint(shown, this.view.camera(width / height), this.ink);
  }

  // A video plays by itself, a little faster or slower where it is off, and jumps where far off.
  lead(video, now) {
    if (video.readyState < 1) return;
    const { clock } = this;
    const span = clock.span(video.duration);
    const wanted = ((clock.time % span) + span) % span;
    if (!this.playing) {
      if (!video.paused) video.pause();
      // The middle of a frame: at its edge a decoder may show the one before.
      const middle = wanted + 0.5 / this.body.fps;
      if (video.seeking) video.addEventListener("seeked", () => this.redraw(), { once: true });
      else if (Math.abs(video.currentTime - middle) > 0.01) video.currentTime = middle;
      return;
    }
    if (video.paused) video.play().catch(() => {}); // a pause may overtake it
    if (video === this.leader && clock.led(now)) {
      if (video.playbackRate !== clock.speed) video.playbackRate = clock.speed;
      return;
    }
    const late = wanted - video.currentTime;
    const off = late - span * Math.round(late / span);
    if (Math.abs(off) > Math.max(0.15, 1.5 / this.body.fps) * clock.speed) {
      if (!video.seeking) video.currentTime = wanted;
    }
    const rate = 1 + Math.min(0.2, Math.max(-0.2, Math.round(off * 40) / 20));
    if (video.playbackRate !== clock.speed * rate) video.playbackRate = clock.speed * rate;
  }

  tell() {
    const frame = this.frame();
    const words = `${frame + 1} / ${this.body.frames}`;
    if (this.told === words + this.playing) return;
    this.told = words + this.playing;
    element("counter").textContent = words;
    element("scrub").value = frame;
    element("scrub").setAttribute("aria-valuetext", `frame ${frame + 1} of ${this.body.frames}`);
    element("play").textContent = this.playing ? "Pause" : "Play";
    element("play").dataset.playing = this.playing;
  }
}

function connect(player) {
  const redraw = () => player.redraw();
  const pick = () => {
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--ink-3d");
    player.ink = colour.split(",").map(Number);
    redraw();
  };
  pick();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", pick);
  new ResizeObserver(redraw).observe(player.canvas);
  steer(player.canvas, player.view, redraw);
  player.videos.forEach((video) => video.addEventListener("loadeddata", redraw));
  const step = (by) => {
    player.play(false);
    player.go(player.frame() + by);
  };
  element("play").addEventListener("click", () => player.play(!player.playing));
  element("back").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  element("scrub").max = player.body.frames - 1;
  element("scrub").addEventListener("input", (event) => {
    player.play(false);
    player.go(Number(event.target.value));
  });
  element("speed").addEventListener("change", (event) => {
    player.clock.speed = Number(event.target.value);
  });
  element("smooth").addEventListener("change", (event) => {
    player.smooth = event.target.checked;
    redraw();
  });
  for (const button of document.querySelectorAll("[data-side]")) {
    button.addEventListener("click", () => {
      player.view.face(button.dataset.side);
      redraw();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // Controls keep the keys that they know themselves.
    if (event.target.closest("input, select, button, a, summary, textarea")) return;
    const actions = {
      " ": () => player.play(!player.playing),
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      Home: () => step(-player.frame()),
      End: () => step(player.body.frames - 1 - player.frame()),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });
}

// Files that the page holds once are downloaded from where they are shown.
for (const link of document.querySelectorAll("a[data-from]")) {
  const source = element(link.dataset.from)?.getAttribute("src");
  if (source) link.href = source;
}

async function start() {
  const data = JSON.parse(element("animation").textContent);
  const videos = [...document.querySelectorAll("video")];
  const player = new Player(await unpack(data), videos);
  if (!player.paint) {
    element("no-webgl").hidden = false;
    player.canvas.hidden = true;
  }
  connect(player);
  element("player").dataset.ready = "true";
  // Nobody who asked for less motion is shown any unasked.
  player.play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

start();
