// Equity and drawdown, one above the other, with one cursor and one zoom.

let charts = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function seriesOf(curve) {
  const at = curve.at ?? curve.change.map((_, row) => row);
  return {
    base: curve.base,
    times: at.map((step) => curve.start + step * curve.step),
    equity: curve.change.map((change) => (change === null ? null : curve.base + change)),
    fall: curve.drawdown.map((depth) => (depth === null ? null : depth === 0 ? 0 : -depth)),
  };
}

// Tick labels: the larger unit is written once, where it changes.
function timeLabels(_, splits, _axis, _space, step) {
  let last = "";
  return splits.map((ms) => {
    const date = new Date(ms);
    const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
    const year = String(date.getUTCFullYear());
    const clock = date.toISOString().slice(11, step < 60000 ? 19 : 16);
    const [small, large] =
      step >= 365 * DAY_MS ? [year, ""]
      : step >= 28 * DAY_MS ? [MONTHS[date.getUTCMonth()], year]
      : step >= DAY_MS ? [day, year]
      : [clock, `${day} ${year}`];
    const text = large && large !== last ? `${small}\n${large}` : small;
    last = large;
    return text;
  });
}

function axes(withTimes, left, label) {
  const shared = { stroke: colour("--soft"), font: "12px system-ui, sans-serif", gap: 6 };
  const grid = { stroke: colour("--line"), width: 1 };
  const ticks = { show: false };
  const below = withTimes ? { size: 44, values: timeLabels } : { size: 6, values: (_, splits) => splits.map(() => "") };
  return [
    { ...shared, grid, ticks, space: 70, ...below },
    { ...shared, grid, ticks, size: left, space: 34, values: (_, splits) => label(splits) },
  ];
}

function equityLabels(splits) {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : 1;
  const digits = Math.min(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0), 8);
  return splits.map((value) => grouped(value, digits));
}

function fallLabels(splits) {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) * 100 : 1;
  const digits = Math.min(Math.max(-Math.floor(Math.log10(step) + 1e-9), 0), 6);
  return splits.map((value) => grouped(Math.abs(value) * 100, digits) + "%");
}

// Room for the longest label, equal in both charts so that their times stand above each other.
function leftRoom(series) {
  const values = series.equity.filter((value) => value !== null);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const step = (high - low) / 6 || 1;
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "12px system-ui, sans-serif";
  const widths = equityLabels([low, low + step]).concat(equityLabels([high, high + step]));
  return Math.ceil(Math.max(48, ...widths.map((text) => pen.measureText(text).width + 18)));
}

function baseLine(base) {
  return (plot) => {
    const { min, max } = plot.scales.y;
    if (base < min || base > max) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(base, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = colour("--soft");
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };
}

function options(host, height, series, line, hooks) {
  return {
    width: Math.max(host.clientWidth, 200),
    height,
    ms: 1,
    tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
    padding: [8, 40, 0, 0], // on the right: half of the longest label of a time
    legend: { show: false },
    cursor: {
      sync: { key: "run" },
      drag: { x: true, y: false, dist: 6 },
      points: { size: 7, width: 2, fill: colour("--card"), stroke: line.stroke },
    },
    scales: line.scales,
    series: [{}, { ...line.series, stroke: line.stroke, points: { show: series.times.length === 1 } }],
    axes: axes(line.withTimes, series.left, line.labels),
    hooks,
  };
}

function readoutText(series, row) {
  const equity = series.equity[row];
  if (equity === null || equity === undefined) return timeText(series.times[row]);
  const gain = series.base > 0 ? ` (${percent(equity / series.base - 1, true)})` : "";
  const fall = series.fall[row];
  const depth = fall === null || fall === undefined ? "" : `  ·  drawdown ${percent(Math.abs(fall), false)}`;
  return `${timeText(series.times[row])}  ·  equity ${decimals(equity, "money")}${gain}${depth}`;
}

function hooksFor(series) {
  const full = [series.times[0], series.times[series.times.length - 1]];
  return {
    setCursor: [(plot) => {
      byId("readout").textContent = readoutText(series, plot.cursor.idx ?? series.times.length - 1);
    }],
    setScale: [(plot, scale) => {
      const { min, max } = plot.scales.x;
      if (scale === "x") byId("unzoom").hidden = min <= full[0] && max >= full[1];
    }],
  };
}

function drawCharts(curve) {
  for (const chart of charts) chart.destroy();
  charts = [];
  byId("plots").hidden = !curve;
  byId("unzoom").hidden = true;
  byId("readout").textContent = "";
  if (!curve) return;
  const series = seriesOf(curve);
  series.left = leftRoom(series);
  const hooks = hooksFor(series);
  const equity = {
    stroke: colour("--accent"), withTimes: false, labels: equityLabels, scales: {},
    series: { width: 1.6, fill: colour("--accent-wash"), fillTo: series.base },
  };
  const fall = {
    stroke: colour("--loss"), withTimes: true, labels: fallLabels,
    scales: { y: { range: (_, low) => [Math.min(low * 1.08, -1e-6), 0] } },
    series: { width: 1.2, fill: colour("--loss-wash"), fillTo: 0 },
  };
  const [upper, lower] = [byId("equity"), byId("drawdown")];
  const upperHooks = { ...hooks, draw: [baseLine(series.base)] };
  const high = upper.clientWidth < 500 ? 220 : 300;
  charts = [
    new uPlot(options(upper, high, series, equity, upperHooks), [series.times, series.equity], upper),
    new uPlot(options(lower, 170, series, fall, hooks), [series.times, series.fall], lower),
  ];
  byId("readout").textContent = readoutText(series, series.times.length - 1);
}

function resetZoom() {
  for (const chart of charts) {
    const times = chart.data[0];
    chart.setScale("x", { min: times[0], max: times[times.length - 1] });
  }
}

function fitCharts() {
  for (const chart of charts) {
    const width = Math.max(chart.root.parentElement.clientWidth, 200);
    if (width !== chart.width) chart.setSize({ width, height: chart.height });
  }
}
