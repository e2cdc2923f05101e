// The map: two parameters across and down, a figure as colour, the other parameters fixed or at their best.

const MOST_CELLS = 200;
const WITH_TEXT = 24;
const BEST = -1;

function placeOf(axis, number) {
  return axis.places === null ? 0 : axis.places[number];
}

function textOf(axis, number) {
  return axis.texts[placeOf(axis, number)];
}

function isBetter(value, other, less) {
  if (value === null || other === null) return other === null && value !== null;
  return less ? value < other : value > other;
}

// The set of each cell: of all that share its two places, the best that the fixed axes allow; sets with which
// fewer symbols failed first.
function mapCells(data, { x, y, figure, fixed }) {
  const { axes, columns, figures, failed } = data;
  const cells = new Map();
  columns[figure].forEach((value, number) => {
    const shown = axes.every((axis, at) => at === x || at === y || fixed[at] === BEST || fixed[at] === placeOf(axis, number));
    if (!shown) return;
    const key = `${placeOf(axes[x], number)} ${y === null ? 0 : placeOf(axes[y], number)}`;
    const other = cells.get(key);
    const more = other === undefined ? -1 : (failed[number] ?? 0) - (failed[other] ?? 0);
    if (more < 0 || (more === 0 && isBetter(value, columns[figure][other], figures[figure].less))) cells.set(key, number);
  });
  return cells;
}

// A gain is coloured by its sign and size, anything else from the lowest to the highest.
function mapColour(values, format) {
  const found = values.filter((value) => value !== null).sort((a, b) => a - b);
  const low = found[0];
  const high = found[found.length - 1];
  const sizes = found.map(Math.abs).sort((a, b) => a - b);
  const scale = sizes[Math.floor((sizes.length - 1) * 0.95)] || 1;
  return (value) => {
    if (value === null) return "";
    if (format === "gain" || (low < 0 && high > 0)) {
      const strength = Math.min(Math.abs(value) / scale, 1);
      return value ? `rgb(var(${value > 0 ? "--gain-rgb" : "--loss-rgb"}) / ${(0.06 + 0.5 * strength).toFixed(3)})` : "";
    }
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return `rgb(var(--gain-rgb) / ${(0.04 + 0.5 * share).toFixed(3)})`;
  };
}

// Six digits in headings; a set says its values in full. Whole numbers stay as they are.
function shortText(text) {
  return /^-?\d+$|^[TF]/.test(text) ? text : String(Number(Number(text).toPrecision(6)));
}

function choice(label, options, chosen, change) {
  const select = make("select", { "aria-label": label });
  for (const [value, text] of options) select.append(make("option", { value: String(value) }, text));
  select.value = String(chosen);
  select.addEventListener("change", () => change(Number(select.value)));
  return make("label", null, `${label} `, select);
}

function mapTools(data, map, redraw) {
  const { axes, figures } = data;
  const varied = axes.map((_, at) => at).filter((at) => axes[at].places !== null);
  const names = varied.map((at) => [at, axes[at].name]);
  const tools = [choice("Figure", figures.map((one, at) => [at, one.label]), map.figure, (at) => redraw({ figure: at }))];
  if (varied.length > 1) {
    // Choosing the axis of the other side swaps the two.
    tools.push(
      choice("Across", names, map.x, (at) => redraw({ x: at, y: at === map.y ? map.x : map.y })),
      choice("Down", names, map.y, (at) => redraw({ y: at, x: at === map.x ? map.y : map.x })),
    );
  }
  for (const at of varied.filter((one) => one !== map.x && one !== map.y)) {
    const options = [[BEST, "best of all"], ...axes[at].texts.map((text, place) => [place, shortText(text)])];
    tools.push(choice(axes[at].name, options, map.fixed[at], (place) => redraw({ fixed: { ...map.fixed, [at]: place } })));
  }
  return tools;
}

function mapRow(data, map, down, across, cells, colour, tight, pick, choose) {
  const { figures, columns, axes } = data;
  const line = make("tr", null, make("th", { scope: "row" }, map.y === null ? "" : shortText(axes[map.y].texts[down])));
  for (const place of across) {
    const number = cells.get(`${place} ${down}`);
    const value = columns[map.figure][number];
    const text = show(value, figures[map.figure].format);
    const title = `${setText(data, number)}: ${text}. ${failedText(number)}`;
    const button = make("button", { type: "button", title }, tight ? "" : text);
    if (tight) button.setAttribute("aria-label", text);
    button.addEventListener("click", () => choose(number));
    const classes = [number === pick && "chosen", value === null && "none", data.failed[number] && "lost"];
    const cell = make("td", { class: classes.filter(Boolean).join(" "), "data-set": String(number) }, button);
    cell.style.background = colour(value);
    line.append(cell);
  }
  return line;
}

// Places of a parameter's values: all, or those about the chosen set.
function placesShown(axis, pick) {
  const first = Math.min((pick === null ? 0 : placeOf(axis, pick)) - MOST_CELLS / 2, axis.texts.length - MOST_CELLS);
  return axis.texts.map((_, place) => place).slice(Math.max(first, 0), Math.max(first, 0) + MOST_CELLS);
}

function drawMap(data, map, pick, choose) {
  const { axes, figures, columns } = data;
  const cells = mapCells(data, map);
  const across = placesShown(axes[map.x], pick);
  const down = map.y === null ? [0] : placesShown(axes[map.y], pick);
  const tight = across.length > WITH_TEXT;
  const table = byId("map-table");
  table.classList.toggle("tight", tight);
  const corner = map.y === null ? axes[map.x].name : `${axes[map.y].name} \\ ${axes[map.x].name}`;
  const heads = [corner, ...across.map((place) => shortText(axes[map.x].texts[place]))];
  table.tHead.replaceChildren(make("tr", null, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const colour = mapColour([...cells.values()].map((number) => columns[map.figure][number]), figures[map.figure].format);
  table.tBodies[0].replaceChildren(...down.map((row) => mapRow(data, map, row, across, cells, colour, tight, pick, choose)));
  byId("map-title").textContent = `${figures[map.figure].label} by ${axes[map.x].name}` + (map.y === null ? "" : ` and ${axes[map.y].name}`);
  byId("map-hint").textContent = mapHint(data, map, across.length, down.length);
}

function mapHint(data, map, across, down) {
  const { axes, figures } = data;
  const best = axes.filter((axis, at) => axis.places !== null && at !== map.x && at !== map.y && map.fixed[at] === BEST);
  const told = ["Click a cell to see its set."];
  const which = figures[map.figure].less ? "lowest" : "highest";
  if (best.length) told.push(`Each cell has the ${which} of all values of ${best.map((axis) => axis.name).join(", ")}.`);
  if (across < axes[map.x].texts.length || (map.y !== null && down < axes[map.y].texts.length)) {
    told.push(`${MOST_CELLS} values of a parameter are shown, those about the set below.`);
  }
  if (data.failed.some(Boolean)) told.push("Hatched: symbols failed with it, and are left out.");
  return told.join(" ");
}
