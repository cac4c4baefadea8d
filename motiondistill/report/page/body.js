"use strict";

// A moving body: its data, as report/animation.py packs them, and how WebGL draws it.

async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(plain).arrayBuffer();
}

async function unpack(data) {
  const steps = new Uint8Array(await inflate(data.vertices));
  const faces = new Uint32Array(await inflate(data.faces));
  const parts = new Uint8Array(await inflate(data.parts));
  const count = steps.length / 2;
  const size = parts.length * 3;
  const levels = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const before = i < size ? 0 : levels[i - size];
    levels[i] = before + steps[i] + 256 * steps[count + i]; // modulo 2^16, as it was packed
  }
  const colours = new Float32Array(size);
  parts.forEach((part, vertex) => colours.set(data.palette[part], 3 * vertex));
  return { ...data, levels, faces, parts, colours, size };
}

// Positions at a time in frames; between two kept frames they go straight.
function pose(body, frame, positions) {
  let next = body.keys.findIndex((key) => key >= frame);
  if (next < 0) next = body.keys.length - 1;
  const last = body.keys[next] > frame ? next - 1 : next;
  const part = next > last ? (frame - body.keys[last]) / (body.keys[next] - body.keys[last]) : 0;
  const from = last * body.size;
  const to = next * body.size;
  for (let i = 0; i < body.size; i++) {
    const axis = i % 3;
    const level = body.levels[from + i] * (1 - part) + body.levels[to + i] * part;
    positions[i] = body.low[axis] + (level / 65535) * (body.high[axis] - body.low[axis]);
  }
}

// Sums of the neighbouring faces' normals, longer for larger faces; the shader makes them units.
function sumNormals(body, p, normals) {
  normals.fill(0);
  for (let i = 0; i < body.faces.length; i += 3) {
    const [a, b, c] = [3 * body.faces[i], 3 * body.faces[i + 1], 3 * body.faces[i + 2]];
    const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) {
      normals[corner] += nx;
      normals[corner + 1] += ny;
      normals[corner + 2] += nz;
    }
  }
}

const SKIN_VERTEX = `#version 300 es
uniform mat4 clipFromWorld;
uniform bool shadow;
in vec3 position, normal, colour;
out vec3 tint, facing;
void main() {
  vec3 place = position;
  // A light from high up casts the body on the floor.
  if (shadow) place = vec3(place.x - 0.25 * place.y, 0.002, place.z - 0.15 * place.y);
  gl_Position = clipFromWorld * vec4(place, 1.0);
  tint = colour;
  facing = normal;
}`;
const SKIN_PIXEL = `#version 300 es
precision highp float;
uniform bool shadow;
uniform vec3 light;
in vec3 tint, facing;
out vec4 pixel;
void main() {
  vec3 n = normalize(facing);
  float sky = 0.5 + 0.5 * n.y;
  float lit = 0.55 + 0.15 * sky + 0.38 * max(dot(n, light), 0.0);
  pixel = shadow ? vec4(0.0, 0.0, 0.0, 0.22) : vec4(tint * lit, 1.0);
}`;
const FLOOR_VERTEX = `#version 300 es
uniform mat4 clipFromWorld;
uniform vec3 centre;
uniform float reach;
in vec3 position;
out vec2 place;
void main() {
  vec3 world = vec3(centre.x, 0.0, centre.z) + reach * position;
  place = world.xz;
  gl_Position = clipFromWorld * vec4(world, 1.0);
}`;
const FLOOR_PIXEL = `#version 300 es
precision highp float;
uniform vec3 centre, ink;
uniform float reach;
in vec2 place;
out vec4 pixel;
// How much of a line of half a metre's grid covers the pixel.
float lines(vec2 at, float width) {
  vec2 wide = fwidth(at);
  vec2 off = abs(fract(at - 0.5) - 0.5);
  vec2 cover = 1.0 - smoothstep(vec2(0.0), wide * width, off);
  return max(cover.x, cover.y) * clamp(1.5 - 2.5 * max(wide.x, wide.y), 0.0, 1.0);
}
void main() {
  float fade = 1.0 - smoothstep(0.25, 1.0, distance(place, centre.xz) / reach);
  float cover = (0.05 + 0.3 * lines(place * 2.0, 1.2)) * fade;
  pixel = vec4(ink * cover, cover);
}`;

function program(gl, vertex, pixel) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, pixel]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(made)}`);
  }
  return { made, at: (name) => gl.getUniformLocation(made, name) };
}

function buffer(gl, owner, name, values) {
  const made = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, made);
  gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
  const slot = gl.getAttribLocation(owner.made, name);
  gl.enableVertexAttribArray(slot);
  gl.vertexAttribPointer(slot, 3, gl.FLOAT, false, 0, 0);
  return (changed) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, made);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, changed);
  };
}

// Column-major, as WebGL has it.
function clipFromWorld({ eye, target, fov, aspect, near, far }) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const cross = (a, b) => [0, 1, 2].map((i) => {
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    return a[j] * b[k] - a[k] * b[j];
  });
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const back = unit(eye.map((x, i) => x - target[i]));
  const right = unit(cross([0, 1, 0], back));
  const up = cross(back, right);
  const focal = 1 / Math.tan(fov / 2);
  const depth = [-(far + near) / (far - near), (-2 * far * near) / (far - near)];
  const rows = [[right, focal / aspect], [up, focal], [back, depth[0]], [back, -1]].map(
    ([axis, scale]) => [...axis.map((x) => x * scale), -dot(axis, eye) * scale],
  );
  rows[2][3] += depth[1];
  return new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column])));
}

// A function that draws the body at a time in frames, seen by a camera; null without WebGL 2.
function painter(canvas, body) {
  const gl = canvas.getContext("webgl2", { antialias: true, stencil: true });
  if (!gl) return null;
  const skin = program(gl, SKIN_VERTEX, SKIN_PIXEL);
  const floor = program(gl, FLOOR_VERTEX, FLOOR_PIXEL);
  const positions = new Float32Array(body.size);
  const normals = new Float32Array(body.size);
  const skinState = gl.createVertexArray();
  gl.bindVertexArray(skinState);
  const setPositions = buffer(gl, skin, "position", positions);
  const setNormals = buffer(gl, skin, "normal", normals);
  buffer(gl, skin, "colour", body.colours);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, body.faces, gl.STATIC_DRAW);
  const floorState = gl.createVertexArray();
  gl.bindVertexArray(floorState);
  buffer(gl, floor, "position", new Float32Array([-1, 0, -1, -1, 0, 1, 1, 0, -1, 1, 0, 1]));
  gl.enable(gl.DEPTH_TEST);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  let shown = -1;

  return (frame, camera, ink) => {
    if (frame !== shown) {
      pose(body, frame, positions);
      sumNormals(body, positions, normals);
      setPositions(positions);
      setNormals(normals);
      shown = frame;
    }
    const matrix = clipFromWorld({ ...camera, aspect: canvas.width / canvas.height });
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT | gl.STENCIL_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.depthMask(false);
    gl.useProgram(floor.made);
    gl.bindVertexArray(floorState);
    gl.uniformMatrix4fv(floor.at("clipFromWorld"), false, matrix);
    gl.uniform3fv(floor.at("centre"), camera.target);
    gl.uniform3fv(floor.at("ink"), ink);
    gl.uniform1f(floor.at("reach"), camera.reach);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.useProgram(skin.made);
    gl.bindVertexArray(skinState);
    gl.uniformMatrix4fv(skin.at("clipFromWorld"), false, matrix);
    gl.uniform3fv(skin.at("light"), camera.light);
    // Each pixel of the floor is darkened once, however many faces lie over it.
    gl.enable(gl.STENCIL_TEST);
    gl.stencilFunc(gl.EQUAL, 0, 255);
    gl.stencilOp(gl.KEEP, gl.KEEP, gl.INCR);
    gl.uniform1i(skin.at("shadow"), 1);
    gl.drawElements(gl.TRIANGLES, body.faces.length, gl.UNSIGNED_INT, 0);
    gl.disable(gl.STENCIL_TEST);
    gl.disable(gl.BLEND);
    gl.depthMask(true);
    gl.uniform1i(skin.at("shadow"), 0);
    gl.drawElements(gl.TRIANGLES, body.faces.length, gl.UNSIGNED_INT, 0);
  };
}
