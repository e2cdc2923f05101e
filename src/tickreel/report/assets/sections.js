// Figures of the chosen subject, returns by month, data coverage.

function drawFigures(data, subject) {
  const pairs = data.figures.map(({ name, label, format, doc }, number) => {
    const value = subject.figures[number];
    const found = make("dd", { class: tone(value, format) }, show(value, format));
    const reason = subject.reasons[name];
    if (value === null && reason !== undefined) found.append(make("span", { class: "reason" }, data.reasons[reason]));
    return make("div", { title: doc }, make("dt", null, label), found);
  });
  byId("figures").replaceChildren(...pairs);
}

function byReturn(data) {
  return sortedRows(data, { name: "total_return", down: true }, "");
}

function heatCell(value, scale) {
  const cell = make("td", null, show(value, "gain"));
  if (value) {
    const strength = Math.min(Math.abs(value) / scale, 1);
    const name = value > 0 ? "--gain-rgb" : "--loss-rgb";
    cell.style.background = `rgb(var(${name}) / ${(0.06 + 0.42 * strength).toFixed(3)})`;
  }
  return cell;
}

// Full colour at the 95th percentile: one wild month must not bleach all others.
function heatScale(lines) {
  const sizes = lines.flat().filter((value) => value).map(Math.abs).sort((a, b) => a - b);
  return sizes.length ? sizes[Math.floor((sizes.length - 1) * 0.95)] : 1;
}

function drawMonths(data) {
  if (!data.months.length) {
    byId("month-paging").textContent = "No month was measured.";
    return;
  }
  const total = data.figures.findIndex((figure) => figure.name === "total_return");
  const scale = heatScale([data.portfolio.months, ...data.symbols.months]);
  const heads = ["Portfolio or symbol", "Whole range", ...data.months.map(monthText)];
  byId("month-table").tHead.replaceChildren(
    make("tr", null, ...heads.map((text, column) => make("th", { scope: "col", class: column ? "" : "name" }, text))),
  );
  const line = (head, months, figures, style) => {
    const whole = make("td", { class: `whole ${tone(figures[total], "gain")}` }, show(figures[total], "gain"));
    return make("tr", { class: style }, head, whole, ...months.map((value) => heatCell(value, scale)));
  };
  const rows = byReturn(data).filter((row) => !data.symbols.failed[row]);
  const first = () => line(make("th", { scope: "row", class: "name" }, "Portfolio"), data.portfolio.months, data.portfolio.figures, "sum");
  const other = (row) => line(nameCell(data, row), data.symbols.months[row], data.symbols.figures[row], "");
  const body = byId("month-table").tBodies[0];
  paged(byId("month-paging"), body, rows.length + 1, (place) => (place ? other(rows[place - 1]) : first()), 51);
}

function nameCell(data, row) {
  const exchange = make("bdi", { class: "exchange" }, data.symbols.exchange[row]);
  return make("th", { scope: "row", class: "name" }, make("bdi", null, data.symbols.symbol[row]), " ", exchange);
}

function runText([offset, length], first) {
  const start = dayText(first + offset);
  return length === 1 ? start : `${start} (${grouped(length, 0)} days)`;
}

// What lies between runs [offset, length] that are in order.
function between(count, runs) {
  const starts = [0, ...runs.map(([offset, length]) => offset + length)];
  const ends = [...runs.map(([offset]) => offset), count];
  return starts.map((start, place) => [start, ends[place] - start]).filter(([, length]) => length > 0);
}

function strip(days, missing) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const put = (kind, x, width) => {
    const rect = document.createElementNS(space, "rect");
    for (const [name, value] of Object.entries({ class: kind, x, y: 0, width, height: 1 })) rect.setAttribute(name, value);
    svg.append(rect);
  };
  svg.setAttribute("viewBox", `0 0 ${days.count} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "strip");
  svg.setAttribute("aria-hidden", "true");
  const lost = missing.reduce((sum, [, length]) => sum + length, 0);
  const sparse = lost > days.count / 2;
  put(sparse ? "miss" : "have", 0, days.count);
  // A lone day of the rarer kind would be thinner than a pixel of a long range.
  const marks = sparse ? between(days.count, missing) : missing;
  for (const [offset, length] of marks) put(sparse ? "have" : "miss", offset, Math.max(length, days.count / 250));
  return svg;
}

function missingCell(missing, first) {
  const runs = missing.map((run) => runText(run, first));
  const named = runs.slice(0, 2).flatMap((run, place) => [place ? ", " : "", make("span", null, run)]);
  if (runs.length > 2) named.push(` and ${grouped(runs.length - 2, 0)} more`);
  return make("td", { class: "missing", title: runs.join(", ") }, ...(runs.length ? named : ["none"]));
}

function coverageRow(data, row) {
  const found = data.symbols.coverage[row];
  const line = make("tr", null, nameCell(data, row));
  if (!found) {
    line.append(make("td", { colspan: 5 }, "not known"));
    return line;
  }
  line.append(
    make("td", { class: "days" }, `${grouped(found.found, 0)} / ${grouped(found.asked, 0)}`),
    make("td", { class: "bar" }, strip(data.days, found.missing)),
    make("td", null, (found.first ?? NONE).replace("T", " ")),
    make("td", null, (found.last ?? NONE).replace("T", " ")),
    missingCell(found.missing, data.days.first),
  );
  if (found.missing_book) line.append(missingCell(found.missing_book, data.days.first));
  return line;
}

function drawCoverage(data) {
  const { coverage, symbol } = data.symbols;
  const lost = (row) => (coverage[row] ? coverage[row].asked - coverage[row].found : -1);
  const rows = symbol.map((_, row) => row).sort((a, b) => lost(b) - lost(a) || a - b);
  const short = rows.filter((row) => lost(row) > 0).length;
  const { first, count } = data.days;
  const whole = short ? `${grouped(short, 0)} of ${grouped(rows.length, 0)} symbols miss days; they come first.` : "Every symbol has data on every day.";
  byId("coverage-hint").textContent = `Days from ${dayText(first)} to ${dayText(first + count - 1)} (UTC). ${whole}`;
  const heads = ["Symbol", "Days", "With data, without data", "First event", "Last event", "Without data"];
  if (coverage.some((found) => found?.missing_book)) heads.push("Without order book");
  byId("coverage-table").tHead.replaceChildren(
    make("tr", null, ...heads.map((text, column) => make("th", { scope: "col", class: column ? "" : "name" }, text))),
  );
  const body = byId("coverage-table").tBodies[0];
  paged(byId("coverage-paging"), body, rows.length, (place) => coverageRow(data, rows[place]), 50);
}
