// Numbers, times and elements: the same wording as figures.py.

const NONE = "–";
const plain = {};

// Rounds as Python does: what the float is, not its shortest text, and a tie, which only odd multiples of a power of 2
// can be, to the even digit.
function nearest(value, digits) {
  const text = value.toFixed(digits);
  const isTie = Math.abs(value * 2 ** (digits + 1)) % 2 === 1;
  return isTie && Number(text.at(-1)) % 2 ? (Number(text) - Math.sign(value) * 10 ** -digits).toFixed(digits) : text;
}

function grouped(value, digits) {
  const shape = { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" };
  plain[digits] ??= new Intl.NumberFormat("en-US", shape);
  const size = Math.abs(value);
  return plain[digits].format(size < 1e15 ? Number(nearest(value, digits)) : value).replace("-", "\u2212");
}

function significant(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  let text = String(Number(value.toPrecision(digits)));
  if (power < -4 || power >= digits) {
    text = `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return text.replaceAll("-", "\u2212");
}

function percent(value, signed) {
  const sign = signed && Math.round(value * 1e4) > 0 ? "+" : "";
  return sign + (Math.abs(value) >= 1e4 ? significant(value * 100, 3) : grouped(value * 100, 2)) + "%";
}

function decimals(value, style) {
  if (Math.abs(value) >= 1e12) return significant(value, 4);
  return style === "ratio" || Math.abs(value) >= 1 || value === 0 ? grouped(value, 2) : significant(value, 4);
}

function show(value, style) {
  if (value === null || value === undefined) return NONE;
  if (style === "count") return grouped(value, 0);
  if (style === "gain" || style === "share") return percent(value, style === "gain");
  return decimals(value, style);
}

function tone(value, style) {
  if (style !== "gain" || !value) return "";
  return value > 0 ? "gain" : "loss";
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS = 86400000;

function timeText(ms) {
  const text = new Date(ms).toISOString();
  if (ms % DAY_MS === 0) return text.slice(0, 10);
  return text.slice(0, 10) + " " + text.slice(11, ms % 60000 ? 19 : 16);
}

function dayText(day) {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

function monthText(month) {
  return MONTHS[Number(month.slice(5)) - 1] + " " + month.slice(0, 4);
}

// make("td", {class: "x"}, "text", child): text is never read as markup.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== "") element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

// Show rows in steps, so that a table of thousands opens at once.
function paged(paging, body, count, makeRow, step) {
  let shown = 0;
  const more = (wanted) => {
    const rows = document.createDocumentFragment();
    const end = Math.min(count, shown + wanted);
    for (; shown < end; shown++) rows.append(makeRow(shown));
    body.append(rows);
    paging.replaceChildren();
    if (shown === count) return;
    paging.append(`${grouped(shown, 0)} of ${grouped(count, 0)} shown. `);
    const next = make("button", { type: "button" }, `Show ${grouped(Math.min(step, count - shown), 0)} more`);
    const rest = make("button", { type: "button" }, "Show all");
    next.addEventListener("click", () => more(step));
    rest.addEventListener("click", () => more(count));
    paging.append(next, " ", rest);
  };
  body.replaceChildren();
  more(step);
}
