// The symbol table: sorted by a click or by keyboard, filtered, in steps of 100 rows.

const table = { data: null, sort: { name: "total_return", down: true }, pick: null };

function figureOf(data, row, name) {
  return data.symbols.figures[row][data.figures.findIndex((figure) => figure.name === name)];
}

function sortedRows(data, { name, down }, wanted) {
  const names = (row) => `${data.symbols.symbol[row]}\u0000${data.symbols.exchange[row]}`;
  const values = new Map();
  const rows = data.symbols.symbol.map((_, row) => row).filter((row) => {
    values.set(row, name === "symbol" ? names(row) : figureOf(data, row, name));
    return !wanted || names(row).toLowerCase().includes(wanted);
  });
  return rows.sort((a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    const order = x < y ? -1 : x > y ? 1 : 0;
    return (down ? -order : order) || a - b;
  });
}

function columnsShown(data) {
  const all = byId("more").checked;
  return data.figures.map((figure, number) => ({ ...figure, number })).filter((figure) => all || !figure.extra);
}

function headCell(name, label, doc) {
  const { sort } = table;
  const active = sort.name === name;
  const button = make("button", { type: "button", title: doc }, label);
  button.addEventListener("click", () => {
    table.sort = { name, down: active ? !sort.down : name !== "symbol" };
    drawTable();
    byId("table").querySelector("th[aria-sort] button").focus({ preventScroll: true });
  });
  const order = active ? (sort.down ? "descending" : "ascending") : null;
  return make("th", { scope: "col", "aria-sort": order, class: name === "symbol" ? "name" : "" }, button);
}

function sparkline(curve) {
  if (!curve || curve.change.length < 2) return "";
  const space = "http://www.w3.org/2000/svg";
  const [width, height] = [96, 24];
  const values = curve.change.map((change) => change ?? 0);
  const low = Math.min(...values, 0);
  const high = Math.max(...values, 0);
  const at = curve.at ?? values.map((_, row) => row);
  const x = (row) => ((at[row] / at[at.length - 1]) * width).toFixed(1);
  const y = (value) => (height - 2 - ((value - low) / (high - low || 1)) * (height - 4)).toFixed(1);
  const svg = document.createElementNS(space, "svg");
  const put = (tag, attributes) => {
    const shape = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", values[values.length - 1] < 0 ? "spark loss" : "spark gain");
  svg.setAttribute("aria-hidden", "true");
  put("line", { x1: 0, x2: width, y1: y(0), y2: y(0) });
  put("polyline", { points: values.map((value, row) => `${x(row)},${y(value)}`).join(" ") });
  return svg;
}

function symbolCell(data, row) {
  const { symbol, exchange, failed } = data.symbols;
  const button = make("button", { type: "button", "aria-pressed": String(table.pick === row) }, symbol[row]);
  const cell = make("th", { scope: "row", class: "name" }, button, " ", make("bdi", { class: "exchange" }, exchange[row]));
  if (failed[row]) cell.append(" ", make("span", { class: "tag" }, "failed"));
  return cell;
}

function reasonOf(data, row, name) {
  const number = data.symbols.reasons[row][name];
  return number === undefined ? null : data.reasons[number];
}

function symbolRow(data, row, columns) {
  const line = make("tr", { class: table.pick === row ? "chosen" : "", "data-row": String(row) }, symbolCell(data, row));
  line.append(make("td", { class: "curve" }, sparkline(data.symbols.curve[row])));
  for (const { name, format, number } of columns) {
    const value = data.symbols.figures[row][number];
    const title = value === null ? reasonOf(data, row, name) : null;
    line.append(make("td", { class: tone(value, format), title }, show(value, format)));
  }
  line.addEventListener("click", () => table.choose(table.pick === row ? null : row));
  return line;
}

// Marks the chosen row in place: the rows shown and the place scrolled to stay.
function markChosen() {
  for (const line of byId("table").tBodies[0].rows) {
    const chosen = Number(line.dataset.row) === table.pick && table.pick !== null;
    line.classList.toggle("chosen", chosen);
    line.querySelector("th button").setAttribute("aria-pressed", String(chosen));
  }
}

function drawTable() {
  const { data } = table;
  const columns = columnsShown(data);
  const heads = [headCell("symbol", "Symbol", "symbol, then exchange"), make("th", { scope: "col" }, "Equity")];
  heads.push(...columns.map((figure) => headCell(figure.name, figure.label, figure.doc)));
  byId("table").tHead.replaceChildren(make("tr", null, ...heads));
  const rows = sortedRows(data, table.sort, byId("filter").value.trim().toLowerCase());
  const body = byId("table").tBodies[0];
  paged(byId("table-paging"), body, rows.length, (place) => symbolRow(data, rows[place], columns), 100);
  if (!rows.length) byId("table-paging").textContent = "No symbol matches.";
}
