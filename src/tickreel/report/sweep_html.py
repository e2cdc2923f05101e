"""A sweep as one HTML file that opens offline and can load nothing."""

from dataclasses import asdict, replace
from string import Template
from typing import Any

from tickreel.report.figures import FIGURES, Figure, rounded
from tickreel.report.page import asset, pairs, policy, script, script_data, text
from tickreel.report.summary import last_line, time_range
from tickreel.report.sweep_summary import cautions, key_figures, ranked, speed
from tickreel.report.view import SweepView
from tickreel.units import counted

ALL_FIGURES_SETS = 10_000
"""With more sets than that the page leaves out the figures that wait behind "More columns"."""
MOST_RETURNS = 200_000
"""With more sets x symbols than that the page leaves out the returns of single symbols."""
_MOSTLY_SAME = ("buy_and_hold", "initial_equity", "periods")
"""Figures that are shown only where sets differ in them, as where symbols fail with some."""
_LESS_IS_BETTER = ("volatility", "max_drawdown", "max_drawdown_sampled", "fees")
_LAST_LINE = 200


def sweep_html(view: SweepView) -> str:
    """Return the page. Write it as UTF-8."""
    style = asset("report.css") + asset("sweep.css")
    own = script("format.js", "sweep_map.js", "sweep.js")
    return Template(asset("sweep.html")).substitute(
        policy=policy(styles=[style], scripts=[own]),
        style=style,
        script=own,
        data=script_data(page_data(view)),
        title=text(f"{view['strategy']}, {counted(len(view['metrics']), 'set')}, {time_range(view)}"),
        strategy=text(view["strategy"]),
        banner=_banner("Source:", view["source"])
        + "".join(_banner("Beware:", told) for told in cautions(view)),
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
    """Return what the page's script reads: columns of one value a set.

    Figures are there in full, and rounded once, when they are shown.
    """
    figures = _figures(view)
    few = len(view["metrics"]) * len(view["symbols"]) <= MOST_RETURNS
    returns = view["returns"] if few and len(view["symbols"]) > 1 else {}
    columns = [[getattr(metrics, one.name, None) for metrics in view["metrics"]] for one in figures]
    return {
        "axes": [_axis(view, name, values) for name, values in view["axes"].items()],
        "figures": [
            *({**asdict(one), "less": one.name in _LESS_IS_BETTER} for one in figures),
            *(
                {"name": f"return of {name}", "label": f"Return of {name}", "format": "gain", "doc": name,
                 "extra": True, "less": False}
                for name in returns
            ),
        ],
        "columns": [
            *([rounded(value) for value in column] for column in (*columns, *returns.values())),
        ],
        "best": next(iter(ranked(view)), None),
        "failed": view["failed"] if any(view["failed"]) else [],
        "one_set": view["one_set"],
    }  # fmt: skip


def _axis(view: SweepView, name: str, values: list[float | int | bool]) -> dict[str, Any]:
    """Return a parameter: its values as text, which has integers that the script has no numbers for; the rank of
    each by size; and, if there are several, which of them each set has."""
    ranks = {value: rank for rank, value in enumerate(sorted(values))}
    places = {value: place for place, value in enumerate(values)}
    return {
        "name": name,
        "texts": [repr(value) for value in values],
        "ranks": [ranks[value] for value in values],
        "places": [places[one[name]] for one in view["parameters"]] if len(values) > 1 else None,
    }


def _figures(view: SweepView) -> list[Figure]:
    """Return the figures that some set has; the sampled drawdown is a chief one if the best set has no other."""
    values = {one.name: {getattr(m, one.name, None) for m in view["metrics"]} for one in FIGURES}
    found = [
        one
        for one in FIGURES
        if one.name == "total_return"
        or (values[one.name] != {None} and not (one.name in _MOSTLY_SAME and len(values[one.name]) == 1))
    ]
    best = next((view["metrics"][place] for place in ranked(view)), None)
    if best and best.max_drawdown is None:
        extra = {"max_drawdown": True, "max_drawdown_sampled": False}
        found = [replace(one, extra=extra.get(one.name, one.extra)) for one in found]
    return [one for one in found if not (one.extra and len(view["metrics"]) > ALL_FIGURES_SETS)]


def _note(view: SweepView) -> str:
    if len(view["metrics"]) <= ALL_FIGURES_SETS:
        return ""
    return f"With more than {ALL_FIGURES_SETS:,} sets this file keeps the chief figures only; metrics.json has all."


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
