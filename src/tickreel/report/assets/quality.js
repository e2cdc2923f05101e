// Reads the data, draws map, findings and missing days, follows the choice of a day.

const data = JSON.parse(byId("data").textContent);
const WORDS = ["", "note", "warning", "bad"];
const page = { sort: { name: "bad", down: true } };

const COLUMNS = [
  ["type", "Type", (stream) => stream.type],
  ["symbol", "Symbol", (stream) => `${stream.symbol}\u0000${stream.exchange}`],
  ["days", "Days", (stream) => stream.days],
  ["missing", "Missing", (stream) => missingDays(stream)],
  ["rows", "Rows", (stream) => stream.rows],
  ["bad", "Bad", (stream) => stream.levels[3] * 1e6 + stream.levels[2]],
  ["warnings", "Warned", (stream) => stream.levels[2]],
];

function missingDays(stream) {
  return stream.missing.reduce((sum, run) => sum + run[2], 0);
}

function timeOf(us) {
  const size = Math.abs(us);
  const digits = (value) => String(Number(value.toPrecision(4))).replace("-", "\u2212");
  for (const [unit, below, scale] of [["us", 1e3, 1], ["ms", 1e6, 1e3], ["s", 6e8, 1e6], ["min", 7.2e9, 6e7], ["h", 1.728e11, 3.6e9]]) {
    if (size < below) return `${digits(us / scale)} ${unit}`;
  }
  return `${digits(us / 8.64e10)} days`;
}

function valueText(value, format) {
  if (format === "time") return timeOf(value);
  return format === "day" ? percent(value, false) : grouped(value, 0);
}

function nameCell(stream) {
  const exchange = make("bdi", { class: "exchange" }, stream.exchange);
  return make("th", { scope: "row", class: "name" }, make("bdi", null, stream.symbol), " ", exchange);
}

function matches(stream) {
  const wanted = byId("filter").value.trim().toLowerCase();
  return !wanted || `${stream.type} ${stream.symbol} ${stream.exchange}`.toLowerCase().includes(wanted);
}

function sortedStreams() {
  const { name, down } = page.sort;
  const value = COLUMNS.find((column) => column[0] === name)[2];
  const order = (a, b) => {
    const [x, y] = [value(data.streams[a]), value(data.streams[b])];
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || a - b;
  };
  return data.streams.map((_, number) => number).filter((number) => matches(data.streams[number])).sort(order);
}

function mapHead() {
  const cells = COLUMNS.map(([name, label]) => {
    const active = page.sort.name === name;
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => {
      page.sort = { name, down: active ? !page.sort.down : name !== "type" && name !== "symbol" };
      drawMap();
    });
    const order = active ? (page.sort.down ? "descending" : "ascending") : null;
    return make("th", { scope: "col", class: name === "type" || name === "symbol" ? "name" : "", "aria-sort": order }, button);
  });
  const axis = make("canvas", { "aria-hidden": "true" });
  byId("map").tHead.replaceChildren(make("tr", null, ...cells, make("th", { scope: "col" }, axis)));
}

function mapRow(number) {
  const stream = data.streams[number];
  const canvas = make("canvas", { role: "img", "aria-label": `${stream.days} of ${stream.asked} days of ${stream.symbol}` });
  canvas.dataset.stream = String(number);
  canvas.addEventListener("mousemove", (event) => point(number, dayAt(event, canvas, stream)));
  canvas.addEventListener("mouseleave", () => byId("pointed").replaceChildren());
  canvas.addEventListener("click", (event) => choose(number, dayAt(event, canvas, stream)));
  const [, , warned, bad] = stream.levels;
  const number_ = (count, level, label) =>
    make("td", { class: count ? level : "nothing", "data-label": label }, count ? grouped(count, 0) : NONE);
  return make(
    "tr", null,
    make("th", { scope: "row", class: "name" }, stream.type), nameCell(stream),
    make("td", { "data-label": "days" }, `${grouped(stream.days, 0)} / ${grouped(stream.asked, 0)}`),
    number_(missingDays(stream), "level2", "missing"), make("td", { "data-label": "rows" }, grouped(stream.rows, 0)),
    number_(bad, "level3", "bad"), number_(warned, "level2", "warned"), make("td", { class: "strip-cell" }, canvas),
  );
}

function paintMap() {
  const figure = data.figures.find(({ name }) => name === byId("colour").value);
  const scale = figure && valueScale(data, figure.name, figure.format);
  for (const canvas of byId("map").tBodies[0].querySelectorAll("canvas")) {
    if (canvas.dataset.painted === byId("colour").value) continue;
    canvas.dataset.painted = byId("colour").value;
    const number = Number(canvas.dataset.stream);
    const stream = data.streams[number];
    if (figure) paintValues(canvas, stream, data.days[number][figure.name], data.count, scale);
    else paintLevels(canvas, stream, data.count);
  }
  drawLegend(figure);
}

function drawLegend(figure) {
  const entry = (kind, text) => make("span", { class: kind }, text);
  const levels = [entry("fine", "nothing, or a note"), entry("warned", "warning"), entry("bad", "bad"), entry("void", "stored, without rows"), entry("none", "missing")];
  const depths = [entry("faint", "least"), entry("full", figure?.format === "day" ? "whole day" : "most (by logarithm)"), entry("none", "missing")];
  byId("legend").replaceChildren(...(figure ? depths : levels));
}

function drawMap() {
  mapHead();
  const rows = sortedStreams();
  paged(byId("map-paging"), byId("map").tBodies[0], rows.length, (place) => mapRow(rows[place]), 100);
  if (!rows.length) byId("map-paging").textContent = data.streams.length ? "No stream matches." : "Nothing was asked for.";
  paintMap();
  // Last: the rows settle how wide its column is.
  if (data.count) paintAxis(byId("map").tHead.querySelector("canvas"), data);
}

function rulesOf(number, day) {
  const bits = data.days[number].rules[presentDays(data.streams[number]).indexOf(day)] ?? 0;
  return data.rules.filter((_, place) => Math.floor(bits / 2 ** place) % 2);
}

function stateText(stream, day) {
  const mark = stream.map[day];
  if (mark === "-") return "missing";
  if (mark === " ") return "not asked for";
  return mark === "e" ? "stored, without rows" : WORDS[Number(mark)] || "nothing found";
}

function point(number, day) {
  const stream = data.streams[number];
  const named = `${stream.type}, ${stream.symbol} (${stream.exchange}), ${dayText(data.first + day)}: ${stateText(stream, day)}`;
  const rules = rulesOf(number, day);
  byId("pointed").textContent = named + (rules.length ? ` (${rules.join(", ")})` : "");
}

function choose(number, day) {
  const stream = data.streams[number];
  const place = presentDays(stream).indexOf(day);
  byId("day").hidden = false;
  byId("day-title").textContent = `${stream.symbol} (${stream.exchange}), ${stream.type}, ${dayText(data.first + day)}`;
  const texts = data.texts.filter((text) => text[0] === number && text[1] === day);
  const told = new Set(texts.map((text) => text[3]));
  const lines = texts.map(([, , level, rule, text]) => make("li", { class: `level${level}` }, `${WORDS[level]}, ${rule}: ${text}`));
  lines.push(...rulesOf(number, day).filter((rule) => !told.has(rule)).map((rule) => make("li", null, rule)));
  byId("day-verdicts").replaceChildren(...(lines.length ? lines : [make("li", null, stateText(stream, day))]));
  const pairs = data.figures.flatMap(({ name, label, format }) => {
    const values = data.days[number][name];
    return values && place >= 0 ? [make("div", null, make("dt", null, label), make("dd", null, valueText(values[place], format)))] : [];
  });
  byId("day-figures").replaceChildren(...pairs);
  byId("day").scrollIntoView({ block: "nearest" });
}

function drawLines(name, heads, rows, makeRow, empty) {
  const table = byId(`${name}-table`);
  table.tHead.replaceChildren(make("tr", null, ...heads.map((head) => make("th", { scope: "col" }, head))));
  paged(byId(`${name}-paging`), table.tBodies[0], rows.length, (place) => makeRow(rows[place]), 50);
  if (!rows.length) byId(`${name}-paging`).textContent = empty;
}

function findingRow({ number, stream, finding: [rule, level, days, day, text] }) {
  const button = make("button", { type: "button" }, day);
  const line = make(
    "tr", { class: "open" },
    make("td", { class: `level${level}` }, WORDS[level]), make("td", null, rule), make("td", null, stream.type), nameCell(stream),
    make("td", { class: "number" }, grouped(days, 0)), make("td", null, button), make("td", { class: "words" }, text),
  );
  line.addEventListener("click", () => choose(number, Date.parse(day) / DAY_MS - data.first));
  return line;
}

function drawFindings() {
  const rows = data.streams.flatMap((stream, number) =>
    matches(stream) ? stream.findings.map((finding) => ({ number, stream, finding })) : []);
  rows.sort((a, b) => b.finding[1] - a.finding[1] || b.finding[2] - a.finding[2] || a.number - b.number);
  drawLines("finding", ["", "Rule", "Type", "Symbol", "Days", "Worst on", "Found"], rows, findingRow, "Nothing was found.");
}

function missingRow({ stream, run: [first, last, days] }) {
  const cells = [make("td", { class: "number" }, days ? grouped(days, 0) : "all"), make("td", null, first ?? NONE), make("td", null, last ?? NONE)];
  return make("tr", null, make("td", null, stream.type), nameCell(stream), ...cells);
}

function drawMissing() {
  const rows = data.streams.flatMap((stream) => (matches(stream) ? stream.missing.map((run) => ({ stream, run })) : []));
  rows.sort((a, b) => b.run[2] - a.run[2]);
  drawLines("missing", ["Type", "Symbol", "Days", "First", "Last"], rows, missingRow, "No day is missing.");
}

function drawAll() {
  drawMap();
  drawFindings();
  drawMissing();
}

function watch() {
  const coloured = ["covered_ns", "rows", "gap_max_ns", "offset_p50_ns", "peak_rows"];
  const options = data.figures.filter(({ name }) => coloured.includes(name)).map(({ name, label }) => make("option", { value: name }, label));
  byId("colour").append(make("option", { value: "verdict" }, "Verdict"), ...options);
  byId("colour").addEventListener("change", paintMap);
  byId("filter").addEventListener("input", drawAll);
  const again = () => drawMap();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("resize", again);
  new MutationObserver(paintMap).observe(byId("map").tBodies[0], { childList: true });
}

watch();
drawAll();
