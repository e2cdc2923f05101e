// The map of coverage: a canvas for each stream, a column for each day.

const LEVEL_COLOURS = { 0: "--have", 1: "--have", 2: "--warn", 3: "--miss", "-": "--hollow", e: "--soft" };
const PAINT_ORDER = ["-", "e", "0", "1", "2", "3"];

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function prepared(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(canvas.clientWidth, 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return { pen, width };
}

// Days of a stream that are there, with the place of their figures.
function presentDays(stream) {
  return [...stream.map].flatMap((mark, day) => (mark === " " || mark === "-" ? [] : [day]));
}

function paintDay(pen, day, step, height, style, hollow) {
  const width = Math.max(step > 4 ? step - 1 : step, 1);
  pen.fillStyle = style;
  pen.strokeStyle = style;
  if (hollow && width > 3) pen.strokeRect(day * step + 0.5, 1.5, width - 1, height - 3);
  else pen.fillRect(day * step, 1, width, height - 2);
}

// The worst is painted last: where days are narrower than a pixel it is what remains.
function paintLevels(canvas, stream, count) {
  const { pen, width } = prepared(canvas, 16);
  for (const level of PAINT_ORDER) {
    const style = colourOf(LEVEL_COLOURS[level]);
    [...stream.map].forEach((mark, day) => {
      if (mark === level) paintDay(pen, day, width / count, 16, style, mark === "e");
    });
  }
}

// Depth of colour by value: a share as it is, anything else by the logarithm of its size.
function paintValues(canvas, stream, values, count, scale) {
  const { pen, width } = prepared(canvas, 16);
  const missing = colourOf("--hollow");
  [...stream.map].forEach((mark, day) => {
    if (mark === "-") paintDay(pen, day, width / count, 16, missing, true);
  });
  pen.fillStyle = colourOf("--accent");
  presentDays(stream).forEach((day, place) => {
    pen.globalAlpha = 0.08 + 0.92 * scale(values ? values[place] : 0);
    paintDay(pen, day, width / count, 16, colourOf("--accent"), false);
  });
}

function valueScale(data, name, format) {
  if (format === "day") return (value) => value;
  const most = Math.max(1, ...data.days.flatMap((days) => (days[name] ?? [0]).map((value) => Math.abs(value))));
  return (value) => Math.log1p(Math.abs(value)) / Math.log1p(most);
}

// Labels at first days of months or years, where there is room for them.
function paintAxis(canvas, data) {
  const { pen, width } = prepared(canvas, 15);
  pen.fillStyle = colourOf("--soft");
  pen.font = "11px system-ui, sans-serif";
  const step = width / data.count;
  const places = [];
  for (let day = 0; day < data.count; day++) {
    const text = dayText(data.first + day);
    const label = data.count < 45 ? text.slice(5) : text.slice(0, 7);
    if (day === 0 || data.count < 45 || text.endsWith("-01")) places.push([day, label]);
  }
  let free = 0;
  for (const [day, label] of places) {
    const length = pen.measureText(label).width;
    if (day * step < free || day * step + length > width) continue;
    pen.fillText(label, day * step, 11);
    free = day * step + length + 14;
  }
}

function dayAt(event, canvas, count) {
  const box = canvas.getBoundingClientRect();
  const day = Math.floor(((event.clientX - box.left) / box.width) * count);
  return Math.min(Math.max(day, 0), count - 1);
}
