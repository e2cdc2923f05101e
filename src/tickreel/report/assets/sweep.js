// Reads the data, draws map and table, follows the choice of a set.

const data = JSON.parse(byId("data").textContent);
const varied = data.axes.map((_, at) => at).filter((at) => data.axes[at].values.length > 1);
const longest = [...varied].sort((a, b) => data.axes[b].values.length - data.axes[a].values.length);
const gains = data.columns[data.figures.findIndex((figure) => figure.name === "total_return")];
const state = {
  sort: { column: "total_return", down: true },
  pick: gains.reduce((best, gain, number) => (isBetter(gain, best === null ? null : gains[best], false) ? number : best), null),
  map: {
    x: longest[1] ?? longest[0] ?? null,
    y: longest.length > 1 ? longest[0] : null,
    figure: data.figures.findIndex((figure) => figure.name === "total_return"),
    fixed: data.axes.map(() => BEST),
  },
};

function setText(data, number) {
  const places = placesOf(data.axes, number);
  return data.axes.map((axis, at) => `${axis.name} ${axis.values[places[at]]}`).join(", ");
}

function drawSet() {
  const number = state.pick;
  byId("set").hidden = number === null;
  if (number === null) return;
  const places = placesOf(data.axes, number);
  const chosen = data.axes.map((axis, at) => [axis.name, String(axis.values[places[at]])]);
  byId("set-title").textContent = `Set: ${varied.map((at) => chosen[at].join(" ")).join(", ") || "the only one"}`;
  const parameters = chosen.map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, value)));
  byId("set-parameters").replaceChildren(...parameters);
  const figures = data.figures.map(({ label, format, doc }, at) => {
    const value = data.columns[at][number];
    return make("div", { title: doc }, make("dt", null, label), make("dd", { class: tone(value, format) }, show(value, format)));
  });
  byId("set-figures").replaceChildren(...figures);
  const failed = data.failed[number] ?? 0;
  byId("set-failed").textContent = failed ? `${failed} symbol${failed === 1 ? "" : "s"} failed with it and are left out.` : "";
  byId("set-command").textContent = chosen.map(([name, value]) => `--set ${name}=${value.toLowerCase()}`).join(" ");
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

// Columns of the table: the parameters that vary, then figures; each with its value of a set.
function columnsShown() {
  const all = byId("more").checked;
  const axes = varied.map((at) => ({
    key: `axis ${at}`, label: data.axes[at].name, doc: "parameter", text: valueText, style: () => "axis",
    of: (number) => data.axes[at].values[placesOf(data.axes, number)[at]],
  }));
  const figures = data.figures.map(({ name, label, doc, format, extra }, at) => ({
    key: name, label, doc, extra, of: (number) => data.columns[at][number],
    text: (value) => show(value, format), style: (value) => tone(value, format),
  }));
  return [...axes, ...figures.filter((figure) => all || !figure.extra)];
}

function sortedSets({ of }, down) {
  const values = gains.map((_, number) => of(number));
  return values.map((_, number) => number).sort((a, b) => {
    const [x, y] = [values[a], values[b]];
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
  for (const { of, text, style } of columns) {
    const value = of(number);
    line.append(make("td", { class: style(value) }, text(value)));
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
