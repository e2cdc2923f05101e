"""A sweep as one HTML file that opens offline and can load nothing."""

from dataclasses import asdict, replace
from string import Template
from typing import Any

from tickreel.report.figures import FIGURES, Figure, rounded
from tickreel.report.page import asset, pairs, policy, script, script_data, text
from tickreel.report.summary import last_line, time_range
from tickreel.report.sweep_summary import chance, key_figures, speed
from tickreel.report.view import SweepView
from tickreel.units import counted

MOST_SETS = 10_000
"""With more sets than that the page leaves out the figures that wait behind "More columns"."""
MOST_RETURNS = 200_000
"""With more sets x symbols than that the page leaves out the returns of single symbols."""
_DIGITS = 6
_SAME = ("buy_and_hold", "initial_equity", "periods", "trades")
"""Figures that are the same for all sets."""
_LESS_IS_BETTER = ("volatility", "max_drawdown", "max_drawdown_sampled", "fees")
_LAST_LINE = 200


def sweep_html(view: SweepView) -> str:
    """Return the page. Write it as UTF-8."""
    style = asset("report.css") + asset("sweep.css")
    own = script("format.js", "sweep_map.js", "sweep.js")
    told = chance(view)
    return Template(asset("sweep.html")).substitute(
        policy=policy(styles=[style], scripts=[own]),
        style=style,
        script=own,
        data=script_data(page_data(view)),
        title=text(f"{view['strategy']}, {counted(len(view['metrics']), 'set')}, {time_range(view)}"),
        strategy=text(view["strategy"]),
        banner=_banner("Source:", view["source"]) + _banner("Beware:", told),
        facts=_facts(view),
        tiles=_tiles(view),
        note=text(_note(view)),
        errors=_errors(view),
        axes=pairs((name, _values(values)) for name, values in view["axes"].items()),
        settings=pairs(view["settings"].items()),
        conventions="".join(f"<li>{text(line)}</li>" for line in view["conventions"]),
        definitions=pairs((figure.label, figure.doc) for figure in FIGURES),
        command=text(view["command"]),
        version=text(view["version"]),
    )


def page_data(view: SweepView) -> dict[str, Any]:
    """Return what the page's script reads: columns of one value a set, the last axis changes first."""
    figures = _figures(view)
    few = len(view["metrics"]) * len(view["symbols"]) <= MOST_RETURNS
    returns = view["returns"] if few and len(view["symbols"]) > 1 else {}
    columns = [[getattr(metrics, one.name, None) for metrics in view["metrics"]] for one in figures]
    return {
        "axes": [{"name": name, "values": values} for name, values in view["axes"].items()],
        "figures": [
            *({**asdict(one), "less": one.name in _LESS_IS_BETTER} for one in figures),
            *(
                {"name": f"return of {name}", "label": f"Return of {name}", "format": "gain", "doc": name,
                 "extra": True, "less": False}
                for name in returns
            ),
        ],
        "columns": [[rounded(value, _DIGITS) for value in column] for column in (*columns, *returns.values())],
        "failed": view["failed"] if any(view["failed"]) else [],
    }  # fmt: skip


def _figures(view: SweepView) -> list[Figure]:
    """Return the figures that some set has; the sampled drawdown is a chief one where there is no other."""
    some = {
        one.name for one in FIGURES if any(getattr(m, one.name, None) is not None for m in view["metrics"])
    }
    found = [one for one in FIGURES if one.name not in _SAME and one.name in some | {"total_return"}]
    if "max_drawdown" not in some:
        found = [replace(one, extra=one.extra and one.name != "max_drawdown_sampled") for one in found]
    return [one for one in found if not (one.extra and len(view["metrics"]) > MOST_SETS)]


def _note(view: SweepView) -> str:
    if len(view["metrics"]) <= MOST_SETS:
        return ""
    return f"With more than {MOST_SETS:,} sets this file keeps the chief figures only; metrics.json has all."


def _banner(head: str, told: str | None) -> str:
    return f'<p class="banner" role="note"><strong>{head}</strong> {text(told)}</p>' if told else ""


def _facts(view: SweepView) -> str:
    names = ", ".join(view["symbols"][:4])
    rest = f" and {len(view['symbols']) - 4:,} more" if len(view["symbols"]) > 4 else ""
    facts = {
        "Range": f"{time_range(view)}, end excluded",
        "Symbols": names + rest,
        "Run": speed(view),
        "Created": f"{view['created']} by tickreel {view['version']}",
    }
    return pairs(facts.items())


def _tiles(view: SweepView) -> str:
    return "".join(
        f'<div class="tile"><dt>{text(label)}</dt><dd class="{mood}">{text(value).replace("-", chr(0x2212))}</dd>'
        f'<dd class="note">{text(note)}</dd></div>'
        for label, value, note, mood in key_figures(view)
    )


def _errors(view: SweepView) -> str:
    if not view["errors"]:
        return ""
    lines = "".join(
        f'<details><summary><bdi class="name">{text(name)}</bdi> with {counted(count, "set")} '
        f'<span class="last">{text(last_line(error)[:_LAST_LINE])}</span></summary><pre>{text(error)}</pre></details>'
        for name, error, count in view["errors"]
    )
    hint = "Left out of the sums of the sets with which they failed."
    return f'<section id="errors" class="card"><h2>Failed symbols</h2><p class="hint">{hint}</p>{lines}</section>'


def _values(values: list[float | int | bool]) -> str:
    if len(values) <= 8:
        return ", ".join(map(repr, values))
    return f"{len(values):,} values, {values[0]!r} to {values[-1]!r}"
