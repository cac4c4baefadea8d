// Sorts the runs by the column whose head is pressed; pressed again, the other way round.

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
