"""A run as one HTML file that opens offline and can load nothing."""

from string import Template

from tickreel.report.charts import curves_note
from tickreel.report.figures import FIGURES
from tickreel.report.page import asset, pairs, policy, script, text
from tickreel.report.payload import payload
from tickreel.report.summary import failed, key_figures, last_line, speed, time_range
from tickreel.report.view import RunView, SymbolView

_SCRIPTS = ("format.js", "charts.js", "table.js", "sections.js", "report.js")
_ERROR_CHARACTERS = 1_000_000
"""Tracebacks beyond this sum are cut to their last line, so that 5,000 failures still open."""
_LAST_LINE = 200


def report_html(view: RunView) -> str:
    """Return the page. Write it as UTF-8; it has no lone surrogates even where the view has some."""
    style = asset("uplot/uPlot.min.css") + asset("report.css")
    library = asset("uplot/uPlot.iife.min.js")
    own = script(*_SCRIPTS)
    return Template(asset("template.html")).substitute(
        policy=policy(styles=[style], scripts=[library, own]),
        style=style,
        library=library,
        script=own,
        data=payload(view),
        title=text(f"{view['strategy']}, {time_range(view)}"),
        strategy=text(view["strategy"]),
        banner=_banner(view["source"]),
        facts=_facts(view),
        tiles=_tiles(view),
        note=text(curves_note(view)),
        errors=_errors(failed(view)),
        settings=pairs(view["settings"].items()),
        conventions="".join(f"<li>{text(line)}</li>" for line in view["conventions"]),
        definitions=pairs((figure.label, figure.doc) for figure in FIGURES),
        command=text(view["command"]),
        version=text(view["version"]),
        licence=text(asset("uplot/LICENSE")),
    )


def _banner(source: str | None) -> str:
    if not source:
        return ""
    return f'<p class="banner" role="note"><strong>Source:</strong> {text(source)}</p>'


def _facts(view: RunView) -> str:
    exchanges = sorted({row["exchange"] for row in view["symbols"]})
    named = _named(exchanges, 4)
    facts = {
        "Range": f"{time_range(view)}, end excluded",
        "Symbols": f"{len(view['symbols']):,}" + (f" on {named}" if named else ""),
        "Run": speed(view),
        "Created": f"{view['created']} by tickreel {view['version']}",
    }
    return pairs(facts.items())


def _tiles(view: RunView) -> str:
    tiles = []
    for label, value, note, tone in key_figures(view):
        shown = value.replace("-", "\u2212")
        link = f'<a href="#errors">{shown}</a>' if label == "Errors" and tone else shown
        tiles.append(
            f'<div class="tile"><dt>{text(label)}</dt>'
            f'<dd class="{tone}">{link}</dd><dd class="note">{text(note)}</dd></div>'
        )
    return "".join(tiles)


def _errors(rows: list[SymbolView]) -> str:
    """Return the failed symbols, those with the same traceback together."""
    if not rows:
        return ""
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row["error"] or "", []).append(f"{row['symbol']} ({row['exchange']})")
    room = _ERROR_CHARACTERS
    parts = []
    for error, names in groups.items():
        last = last_line(error)[:_LAST_LINE]
        shown = error if len(error) <= room else last
        room -= len(shown)
        all_of_them = f'<p class="names">{text(_named(names, 200))}</p>' if len(names) > 3 else ""
        parts.append(
            f'<details><summary><bdi class="name">{text(_named(names, 3))}</bdi> '
            f'<span class="last">{text(last)}</span></summary>{all_of_them}<pre>{text(shown)}</pre></details>'
        )
    count = f"{len(rows):,} failed symbol" + ("" if len(rows) == 1 else "s")
    return f'<section id="errors" class="card"><h2>{count}</h2>{"".join(parts)}</section>'


def _named(names: list[str], limit: int) -> str:
    rest = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest
