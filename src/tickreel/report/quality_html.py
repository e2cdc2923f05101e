"""A quality report as one HTML file that opens offline and can load nothing."""

from collections.abc import Sequence
from string import Template

from tickreel.report.page import asset, pairs, policy, script, script_data, text
from tickreel.report.quality_payload import page_data, page_note
from tickreel.report.quality_view import QualityView

Definitions = Sequence[tuple[str, str]]
"""(name, meaning) of figures or rules, in the order to show."""


def quality_html(
    view: QualityView, *, figures: Definitions, rules: Definitions, version: str, created: str
) -> str:
    """Return the page, with the meaning of every figure and rule. Write it as UTF-8."""
    style = asset("report.css") + asset("quality.css")
    own = script("format.js", "quality_map.js", "quality.js")
    days = f"{view['from']} to {view['to']} (UTC, end excluded)" if view["from"] else "none"
    facts = {
        "Store": view["store"],
        "Feed": view["feed"],
        "Days": days,
        "Created": f"{created} by tickreel {version}",
    }
    return Template(asset("quality.html")).substitute(
        policy=policy(styles=[style], scripts=[own]),
        style=style,
        script=own,
        data=script_data(page_data(view)),
        title=text(f"Quality of {view['feed']}, {days}"),
        facts=pairs(facts.items()),
        tiles=_tiles(view),
        note=text(page_note(view)),
        asked=pairs((name.capitalize(), value) for name, value in view["asked"].items()),
        figures=pairs(figures),
        rules=pairs(rules),
        version=text(version),
    )


def _tiles(view: QualityView) -> str:
    totals = view["totals"]
    tiles = (
        ("Streams", totals["streams"], "type, exchange and symbol", ""),
        ("Days", totals["segments"], "stored, over all streams", ""),
        ("Rows", totals["rows"], "measured", ""),
        ("Missing", totals["missing_days"], "days asked for, not stored", "warning"),
        ("Unreadable", totals["unreadable"], "days whose file is damaged", "bad"),
        ("Bad", totals["bad"], "findings on single days", "bad"),
        ("Warnings", totals["warnings"], "findings on single days", "warning"),
        ("Notes", totals["notes"], "findings on single days", ""),
    )
    return "".join(
        f'<div class="tile"><dt>{label}</dt><dd class="{tone if count else ""}">{count:,}</dd>'
        f'<dd class="note">{note}</dd></div>'
        for label, count, note, tone in tiles
    )
