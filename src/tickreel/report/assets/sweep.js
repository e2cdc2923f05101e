// Reads the data, draws map and table, follows the choice of a set.

const data = JSON.parse(byId("data").textContent);
const varied = data.axes.map((_, at) => at).filter((at) => data.axes[at].places !== null);
const longest = [...varied].sort((a, b) => data.axes[b].texts.length - data.axes[a].texts.length);
const gains = data.columns[data.figures.findIndex((figure) => figure.name === "total_return")];
const state = {
  sort: { column: "total_return", down: true },
  pick: data.best,
  map: {
    x: longest[1] ?? longest[0] ?? null,
    y: longest.length > 1 ? longest[0] : null,
    figure: data.figures.findIndex((figure) => figure.name === "total_return"),
    fixed: data.axes.map(() => BEST),
  },
};

function setText(data, number) {
  return data.axes.map((axis) => `${axis.name} ${textOf(axis, number)}`).join(", ");
}

function failedText(number) {
  const failed = data.failed[number] ?? 0;
  if (!failed) return "";
  return failed === 1 ? "1 symbol failed with it and is left out." : `${grouped(failed, 0)} symbols failed with it and are left out.`;
}

function drawSet() {
  const number = state.pick;
  byId("set").hidden = number === null;
  if (number === null) return;
  const chosen = data.axes.map((axis) => [axis.name, textOf(axis, number)]);
  byId("set-title").textContent = `Set: ${varied.map((at) => chosen[at].join(" ")).join(", ") || "the only one"}`;
  const parameters = chosen.map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, value)));
  byId("set-parameters").replaceChildren(...parameters);
  const figures = data.figures.map(({ label, format, doc }, at) => {
    const value = data.columns[at][number];
    return make("div", { title: doc }, make("dt", null, label), make("dd", { class: tone(value, format) }, show(value, format)));
  });
  byId("set-figures").replaceChildren(...figures);
  byId("set-failed").textContent = failedText(number);
  byId("set-run").hidden = data.one_set === null;
  if (data.one_set === null) return;
  const [begin, before, end] = data.one_set;
  byId("set-command").textContent = begin + chosen.map(([name, value]) => `${before}${name}=${value}`).join("") + end;
}

function choose(number) {
  state.pick = number;
  drawSet();
  for (const cell of document.querySelectorAll("[data-set]")) {
    cell.classList.toggle("chosen", Number(cell.dataset.set) === number);
  }
  const { top, bottom } = byId("set").getBoundingClientRect();
  if (bottom < 100 || top > innerHeight - 100) byId("set").scrollIntoView({ block: "nearest" });
}

function redrawMap(changed) {
  state.map = { ...state.map, ...changed };
  byId("map").hidden = state.map.x === null;
  if (state.map.x === null) return;
  byId("map-tools").replaceChildren(...mapTools(data, state.map, redrawMap));
  drawMap(data, state.map, state.pick, choose);
}

// Columns of the table: the parameters that vary, failed symbols if there are any, then figures; of each what to
// show of a set, and what to sort by.
function columnsShown() {
  const all = byId("more").checked;
  const axes = varied.map((at) => data.axes[at]).map((axis, at) => ({
    key: `axis ${at}`, label: axis.name, doc: "parameter", style: () => "axis",
    of: (number) => axis.ranks[axis.places[number]], text: (number) => shortText(textOf(axis, number)),
  }));
  const failed = {
    key: "axis failed", label: "Failed", doc: "symbols that failed: they are left out of the figures", style: () => "lost",
    of: (number) => data.failed[number], text: (number) => (data.failed[number] ? grouped(data.failed[number], 0) : ""),
  };
  const figures = data.figures.map(({ name, label, doc, format, extra }, at) => ({
    key: name, label, doc, extra, of: (number) => data.columns[at][number], fair: true,
    text: (number) => show(data.columns[at][number], format), style: (number) => tone(data.columns[at][number], format),
  }));
  return [...axes, ...(data.failed.length ? [failed] : []), ...figures.filter((figure) => all || !figure.extra)];
}

// Figures of sets with which more symbols failed are no match for the others: such sets come last.
function sortedSets({ of, fair }, down) {
  const lost = (number) => (fair && data.failed[number]) || 0;
  return gains.map((_, number) => number).sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (lost(a) !== lost(b)) return lost(a) - lost(b);
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    return (down ? y - x : x - y) || a - b;
  });
}

function headCell({ key, label, doc }) {
  const active = state.sort.column === key;
  const button = make("button", { type: "button", title: doc }, label);
  button.addEventListener("click", () => {
    state.sort = { column: key, down: active ? !state.sort.down : !key.startsWith("axis ") };
    drawTable();
    byId("table").querySelector("th[aria-sort] button").focus({ preventScroll: true });
  });
  return make("th", { scope: "col", "aria-sort": active ? (state.sort.down ? "descending" : "ascending") : null }, button);
}

function setRow(number, columns) {
  const line = make("tr", { class: number === state.pick ? "chosen" : "", "data-set": String(number), tabindex: "0" });
  for (const { text, style } of columns) {
    line.append(make("td", { class: style(number) }, text(number)));
  }
  line.addEventListener("click", () => choose(number));
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(number); });
  return line;
}

function drawTable() {
  const columns = columnsShown();
  byId("table").tHead.replaceChildren(make("tr", null, ...columns.map(headCell)));
  const column = columns.find(({ key }) => key === state.sort.column) ?? columns[columns.length - 1];
  const sets = sortedSets(column, state.sort.down);
  paged(byId("table-paging"), byId("table").tBodies[0], sets.length, (place) => setRow(sets[place], columns), 100);
}

byId("more").addEventListener("change", drawTable);
drawSet();
redrawMap({});
drawTable();
