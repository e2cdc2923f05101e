"""A run as a small HTML fragment for `_repr_html_`."""

from collections.abc import Iterable

from tickreel.report.figures import FORMATS, number
from tickreel.report.page import text
from tickreel.report.summary import failed, key_figures, ranked, row_return, time_range
from tickreel.report.view import RunView

_ROWS = 10
_COLUMNS = {
    "total_return": "Return",
    "buy_and_hold": "Buy & hold",
    "sharpe": "Sharpe",
    "max_drawdown": "Max drawdown",
}


def summary_html(view: RunView) -> str:
    """Return headline figures and the best symbols as plain tables; all names are escaped."""
    headline = [(figure.label, figure.value) for figure in key_figures(view)]
    best = [row for row in ranked(view) if row_return(row) is not None][:_ROWS]
    source = f"<p><strong>Source: {text(view['source'])}</strong></p>" if view["source"] else ""
    failures = ", ".join(f"{row['symbol']} ({row['exchange']})" for row in failed(view)[:_ROWS])
    table = "".join(
        _row(
            "td",
            [f"{row['symbol']} ({row['exchange']})"]
            + [number(getattr(row["metrics"], name), FORMATS[name]) for name in _COLUMNS],
        )
        for row in best
    )
    return (
        f"<div><p><strong>{text(view['strategy'])}</strong>, {text(time_range(view))}</p>{source}"
        f"<table><thead>{_row('th', (label for label, _ in headline))}</thead>"
        f"<tbody>{_row('td', (value for _, value in headline))}</tbody></table>"
        f"<table><thead>{_row('th', ['Symbol', *_COLUMNS.values()])}</thead><tbody>{table}</tbody></table>"
        + (f"<p>Failed: {text(failures)}</p>" if failures else "")
        + "</div>"
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{text(cell)}</{tag}>" for cell in cells) + "</tr>"
