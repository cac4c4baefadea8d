// The time that the body and the videos share: that of a video's frames as they are shown.

class Clock {
  constructor(frames, fps) {
    this.frames = frames;
    this.fps = fps;
    this.length = frames / fps; // seconds; the last frame is held for its time, too
    this.time = 0; // seconds since the first frame, over all repeats
    this.speed = 1;
    this.restart(0);
  }

  // It goes on from here by itself, until a video tells again.
  restart(now) {
    this.last = now;
    this.told = null;
  }

  // A video of so many seconds has just shown its frame that begins at `start`.
  tell(now, start, duration) {
    const span = this.span(duration);
    const late = start - this.time;
    this.told = { now, start: this.time + late - span * Math.round(late / span) };
  }

  // Whole repeats of the motion, as a video shows it.
  span(duration) {
    return Math.max(1, Math.round(duration / this.length)) * this.length;
  }

  // Whether a video leads. One that tells nothing for long is stuck.
  led(now) {
    return this.told !== null && now - this.told.now < Math.max(500, 2000 / this.fps / this.speed);
  }

  advance(now) {
    if (this.led(now)) {
      // Within the frame that is seen: the next begins when the video shows it.
      const passed = (Math.max(0, now - this.told.now) / 1000) * this.speed;
      this.time = this.told.start + Math.min(passed, 0.99 / this.fps);
    } else {
      // A page that was hidden goes on from where it was.
      this.time += (Math.min(250, Math.max(0, now - this.last)) / 1000) * this.speed;
    }
    this.last = now;
  }

  // Of this repeat, in frames, with its fraction.
  position() {
    const within = ((this.time % this.length) + this.length) % this.length;
    return (within * this.fps + 1e-6) % this.frames;
  }

  frame() {
    return Math.floor(this.position());
  }

  // Where a body that moves smoothly is: in its own pose in the middle of a frame's time, so that
  // it is never further than half a frame from what a video shows.
  smooth() {
    return Math.min(this.frames - 1, Math.max(0, this.position() - 0.5));
  }

  // To the beginning of a frame, counted around, in the same repeat.
  go(frame) {
    const whole = Math.floor(this.time / this.length + 1e-9);
    const wanted = ((frame % this.frames) + this.frames) % this.frames;
    this.time = whole * this.length + wanted / this.fps;
    this.told = null;
  }
}
