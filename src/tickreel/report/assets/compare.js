// Reads the data, draws the tables of streams, days and examples.

const data = JSON.parse(byId("data").textContent);
const HEADS = ["Rows", "Matched", "Missing", "Extra", "Different", "Late", "Lag"];
const LEVELS = { missing: "level3", extra: "level3", different: "level3", late: "level2" };

function nameCells(type, symbol, exchange) {
  const place = make("bdi", { class: "exchange" }, exchange);
  // A long name of a type may be divided after a "_".
  const parts = type.split(/(?<=_)/).flatMap((part, number) => (number ? [make("wbr"), part] : [part]));
  return [make("td", { class: "wrap" }, ...parts), make("th", { scope: "row", class: "name" }, make("bdi", null, symbol), " ", place)];
}

// Of all rows of both feeds: pairs, and what is alone or different.
function shares(counts) {
  const bar = make("div", { class: "shares", "aria-hidden": "true" });
  const of = Object.fromEntries(data.columns.map((name, place) => [name, counts[place] ?? 0]));
  const whole = of.matched + of.missing + of.extra + of.different;
  for (const name of ["matched", "missing", "extra", "different"]) {
    if (!of[name]) continue;
    const part = make("i", { class: name });
    part.style.width = `${(100 * of[name]) / whole}%`;
    bar.append(part);
  }
  return make("td", null, bar);
}

function countCell(count, name) {
  const text = count === null ? NONE : grouped(count, 0);
  return make("td", { class: `number ${count ? LEVELS[name] ?? "" : ""}` }, text);
}

// Two values, one above the other: side by side a table would be wider than most windows.
function twoCell(names, values) {
  const lines = values.map((value, place) => make("div", null, make("b", null, names[place]), value));
  return make("td", { class: "number two" }, ...lines);
}

function lineCells([type, symbol, exchange, days, counts, lags, matchedBy], held) {
  const [inA, inB, ...others] = counts;
  const cells = others.map((count, place) => countCell(count, data.columns[place + 2]));
  return [
    ...nameCells(type, symbol, exchange), make("td", { class: "wrap" }, held(days)), shares(counts),
    twoCell(["A", "B"], [grouped(inA, 0), grouped(inB, 0)]), ...cells,
    lags[0] === NONE ? make("td", { class: "number" }, NONE) : twoCell(["p50", "p99"], lags), make("td", null, matchedBy || NONE),
  ];
}

function daysText([both, a, b]) {
  const alone = [[a, "A"], [b, "B"]].filter(([count]) => count).map(([count, feed]) => `${grouped(count, 0)} in ${feed} alone`);
  return [grouped(both, 0), ...alone].join(", ");
}

function heldText([both, a, , rows]) {
  if (both) return "both";
  return `${a ? "A" : "B"} alone, ${grouped(rows, 0)} row${rows === 1 ? "" : "s"}`;
}

function drawLines(name, heads, rows, cells, empty) {
  const table = byId(`${name}-table`);
  const numbers = new Set(HEADS);
  const head = (text) => make("th", { scope: "col", class: numbers.has(text) ? "number" : "" }, text);
  table.tHead.replaceChildren(make("tr", null, ...heads.map(head)));
  paged(byId(`${name}-paging`), table.tBodies[0], rows.length, (place) => make("tr", null, ...cells(rows[place])), 100);
  if (!rows.length) byId(`${name}-paging`).textContent = empty;
}

function matches(words) {
  const wanted = byId("filter").value.trim().toLowerCase();
  return !wanted || words.join(" ").toLowerCase().includes(wanted);
}

function exampleCells([kind, type, symbol, exchange, day, a, b]) {
  const sides = [["A", a], ["B", b]].filter(([, row]) => row);
  const rows = sides.map(([feed, row]) => make("div", null, make("b", null, feed), make("bdi", null, row)));
  return [make("td", { class: LEVELS[kind] }, kind), ...nameCells(type, symbol, exchange), make("td", null, day), make("td", { class: "words" }, ...rows)];
}

function drawAll() {
  const tail = [...HEADS, "By"];
  const streams = data.streams.filter((line) => matches(line.slice(0, 3)));
  drawLines("stream", ["Type", "Symbol", "Days", "Shares", ...tail], streams, (line) => lineCells(line, daysText), "No stream matches.");
  const days = data.days.filter((line) => matches(line.slice(1, 4)));
  const dayCells = ([day, ...line]) => [make("td", null, day), ...lineCells(line, heldText)];
  drawLines("day", ["Day", "Type", "Symbol", "Held by", "Shares", ...tail], days, dayCells, "All days that both feeds hold are equal.");
  if (data.days_left_out) byId("day-paging").append(` ${grouped(data.days_left_out, 0)} more are in tickreel compare --json.`);
  const examples = data.examples.filter((line) => matches(line.slice(1, 4)));
  drawLines("example", ["", "Type", "Symbol", "Day", "Row"], examples, exampleCells, "There are none.");
}

byId("filter").addEventListener("input", drawAll);
drawAll();
