// The map of coverage: a canvas for each stream, a column for each day.

const LEVEL_COLOURS = { 0: "--have", 1: "--have", 2: "--warn", 3: "--miss", "-": "--hollow", e: "--soft" };
const LEAST_WIDTH = 3;
const REACH = 4;
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

// One or two days by themselves are wide enough to be seen and met, however many days there are.
function widthOf(stream, day, step) {
  const there = (place) => !" -".includes(stream.map[place] ?? " ");
  const besides = [[-2, -1], [-1, 1], [1, 2]].some((steps) => steps.every((other) => there(day + other)));
  return Math.max(step > 4 ? step - 1 : step, there(day) && !besides ? LEAST_WIDTH : 1);
}

function paintDay(pen, day, step, height, style, hollow, width) {
  pen.fillStyle = style;
  pen.strokeStyle = style;
  const left = Math.min(day * step, pen.canvas.clientWidth - width);
  if (hollow && width > 3) pen.strokeRect(left + 0.5, 1.5, width - 1, height - 3);
  else pen.fillRect(left, 1, width, height - 2);
}

// The worst is painted last: where days are narrower than a pixel it is what remains.
function paintLevels(canvas, stream, count) {
  const { pen, width } = prepared(canvas, 16);
  for (const level of PAINT_ORDER) {
    const style = colourOf(LEVEL_COLOURS[level]);
    [...stream.map].forEach((mark, day) => {
      if (mark === level) paintDay(pen, day, width / count, 16, style, mark === "e", widthOf(stream, day, width / count));
    });
  }
}

// Depth of colour by value: a share as it is, anything else by the logarithm of its size.
function paintValues(canvas, stream, values, count, scale) {
  const { pen, width } = prepared(canvas, 16);
  const missing = colourOf("--hollow");
  [...stream.map].forEach((mark, day) => {
    if (mark === "-") paintDay(pen, day, width / count, 16, missing, true, widthOf(stream, day, width / count));
  });
  pen.fillStyle = colourOf("--accent");
  presentDays(stream).forEach((day, place) => {
    pen.globalAlpha = 0.08 + 0.92 * scale(values ? values[place] : 0);
    paintDay(pen, day, width / count, 16, colourOf("--accent"), false, widthOf(stream, day, width / count));
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

// The day under the pointer; beside one that is there, that one.
function dayAt(event, canvas, stream) {
  const box = canvas.getBoundingClientRect();
  const step = box.width / stream.map.length;
  const day = Math.min(Math.max(Math.floor((event.clientX - box.left) / step), 0), stream.map.length - 1);
  if (!" -".includes(stream.map[day])) return day;
  const near = presentDays(stream).filter((other) => Math.abs(other - day) * step <= REACH);
  return near.sort((a, b) => Math.abs(a - day) - Math.abs(b - day))[0] ?? day;
}
