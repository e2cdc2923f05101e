// Reads the data, draws every section, follows the choice of a symbol and the colour scheme.

const data = JSON.parse(byId("data").textContent);
table.data = data;

function subjectOf(row) {
  const { symbols, portfolio } = data;
  if (row === null) {
    const count = symbols.failed.filter((failed) => !failed).length;
    const title = `Portfolio, ${grouped(count, 0)} ${count === 1 ? "account" : "accounts"}`;
    return { ...portfolio, title, without: "No symbol was measured." };
  }
  const [curve, figures, reasons] = [symbols.curve[row], symbols.figures[row], symbols.reasons[row]];
  const title = `${symbols.symbol[row]} (${symbols.exchange[row]})`;
  const without = symbols.failed[row] ? "This symbol failed; see its error." : "This file keeps no curve for it.";
  return { curve, figures, reasons, title, without };
}

function drawSubject() {
  const subject = subjectOf(table.pick);
  byId("subject").textContent = subject.title;
  byId("all").hidden = table.pick === null;
  byId("equity").setAttribute("aria-label", `Equity of ${subject.title}`);
  byId("drawdown").setAttribute("aria-label", `Drawdown of ${subject.title}`);
  const missing = byId("nocurve");
  missing.hidden = Boolean(subject.curve);
  missing.textContent = subject.without;
  drawCharts(subject.curve);
  drawFigures(data, subject);
}

table.choose = (row) => {
  table.pick = row;
  drawSubject();
  markChosen();
  const { top, bottom } = byId("curves").getBoundingClientRect();
  if (row !== null && (bottom < 200 || top > innerHeight - 200)) byId("curves").scrollIntoView();
};

function watch() {
  byId("filter").addEventListener("input", drawTable);
  byId("more").addEventListener("change", drawTable);
  byId("all").addEventListener("click", () => table.choose(null));
  byId("unzoom").addEventListener("click", resetZoom);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", drawSubject);
  // Paper is light whatever the screen is; the canvas must be drawn again for it.
  addEventListener("beforeprint", () => { document.documentElement.classList.add("paper"); drawSubject(); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("paper"); drawSubject(); });
  new ResizeObserver(fitCharts).observe(byId("plots"));
}

drawSubject();
drawTable();
drawMonths(data);
drawCoverage(data);
watch();
