// Sorts the runs by the column whose head is pressed; pressed again, the other way round. And plays
// the video of the run that is looked at: under the mouse, with the focus, or on a screen that is
// touched in the middle of it.

const table = document.getElementById("runs");
const key = document.getElementById("key");
const turn = document.getElementById("turn");
const heads = [...table.querySelectorAll("th[data-key]")];
let rising = true;

function sortBy(name) {
  const column = heads.findIndex((head) => head.dataset.key === name);
  const numeric = heads[column].dataset.kind === "number";
  const cell = (row) => row.querySelector(`[data-of="${name}"]`).dataset.value;
  const rows = [...table.tBodies[0].rows].map((row) => [cell(row), row]);
  const compare = (a, b) => (numeric ? a - b : a.localeCompare(b));
  rows.sort(([a], [b]) => {
    // Runs without the figure come last, whichever way.
    if (a === "" || b === "") return (a === "") - (b === "");
    return rising ? compare(a, b) : compare(b, a);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
  heads.forEach((head, index) => {
    head.setAttribute("aria-sort", index === column ? (rising ? "ascending" : "descending") : "none");
  });
  key.value = name;
  turn.textContent = rising ? "Ascending" : "Descending";
}

heads.forEach((head) => {
  head.querySelector("button").addEventListener("click", () => {
    rising = head.getAttribute("aria-sort") !== "ascending";
    sortBy(head.dataset.key);
  });
});
key.addEventListener("change", () => {
  rising = true;
  sortBy(key.value);
});
turn.addEventListener("click", () => {
  rising = !rising;
  sortBy(key.value);
});
sortBy(key.value);

function play(video) {
  video.play().catch(() => {}); // a pause may overtake it
}

// Its four frames are seen again.
function rest(video) {
  video.pause();
  video.load();
}

for (const row of table.tBodies[0].rows) {
  const video = row.querySelector("video.thumbnail");
  if (!video) continue;
  for (const begin of ["mouseenter", "focusin"]) row.addEventListener(begin, () => play(video));
  for (const end of ["mouseleave", "focusout"]) row.addEventListener(end, () => rest(video));
}
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
if (matchMedia("(hover: none)").matches && !calm) {
  const seen = (entries) => entries.forEach(({ isIntersecting, target }) => {
    if (isIntersecting) play(target);
    else rest(target);
  });
  const watch = new IntersectionObserver(seen, { rootMargin: "-20% 0px" });
  table.querySelectorAll("video.thumbnail").forEach((video) => watch.observe(video));
}
