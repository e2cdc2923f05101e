"""Rules of what rows say: sides, prices, amounts, order books, funding."""

from tickreel.quality.figures import Figures
from tickreel.quality.rule import BAD, NOTE, WARNING, Found, Rule, graded
from tickreel.quality.words import of_looks, of_rows
from tickreel.report.figures import counted
from tickreel.report.words import percent, spoken_ns
from tickreel.units import NS_PER_S

ALIKE = 4


def _sides(f: Figures) -> Found:
    if not f.get("side_unknown"):
        return None
    if f["side_unknown"] == f["rows"]:
        return WARNING, "the side is unknown on every row"
    return graded(
        f["side_unknown"] / f["rows"], warning=0.01
    ), f"the side is unknown in {of_rows(f, 'side_unknown')}"


def _outliers(f: Figures) -> Found:
    count = f.get("outliers", 0)
    if not count:
        return None
    if count >= ALIKE and (count > 0.01 * f["rows"] or 2 * f["outliers_alike"] >= count):
        return NOTE, (
            f"{of_rows(f, 'outliers')} stand more than 1 % off the trades around them and come back, again and"
            " again: the price step or the spread is that wide"
        )
    stand = "1 price stands more than 1 % off the trades around it and comes back"
    many = f"{count:,} prices stand more than 1 % off the trades around them and come back"
    return WARNING, stand if count == 1 else many


def _amount(f: Figures) -> Found:
    if f["rows"] < 100 or f.get("amount_max", 0) <= 0.5 * f.get("amount_total", 0):
        return None
    return WARNING, f"one row has {percent(f['amount_max'], f['amount_total'])} of the day's amount"


def _late_snapshot(f: Figures) -> Found:
    if not f.get("rows_before_snapshot"):
        return None
    if f.get("rows_skipped") == 0:
        return NOTE, f"{of_rows(f, 'rows_before_snapshot')} go on with the book of the day before"
    if not f["snapshots"]:
        return BAD, "no snapshot: no book can be built"
    return WARNING, f"the first snapshot arrives after {counted(f['rows_before_snapshot'], 'row')} of changes"


def _snapshot_zeros(f: Figures) -> Found:
    if not f.get("snapshot_zeros"):
        return None
    return WARNING, f"snapshots hold {counted(f['snapshot_zeros'], 'level')} with amount 0"


def _reconnects(f: Figures) -> Found:
    if not f.get("reconnects"):
        return None
    return graded(
        f["reconnects"], warning=10
    ), f"{counted(f['reconnects'], 'snapshot')} after the first: the feed was connected anew"


def _no_book(f: Figures) -> Found:
    if not f.get("books_refused"):
        return None
    return WARNING, "prices lie too far apart for one book: none was built, what it would tell is not judged"


def _absent(f: Figures) -> Found:
    if not f.get("removals_absent"):
        return None
    share = f"{f['removals_absent']:,} of {counted(f['removals'], 'removal')}"
    return NOTE, f"{share} {'is' if f['removals_absent'] == 1 else 'are'} of levels that the book has not"


def _book_cells(f: Figures) -> Found:
    if not f.get("cells_empty"):
        return None
    return WARNING, f"no price or no amount in {of_rows(f, 'cells_empty')}"


def _crossed(f: Figures) -> Found:
    if not f.get("crossed_rows"):
        return None
    return graded(f["crossed_ns"] / NS_PER_S, warning=0.0, bad=60.0), (
        f"the bid is above the ask in {counted(f['crossed_intervals'], 'interval')},"
        f" {spoken_ns(f['crossed_ns'])} in all, the longest {spoken_ns(f['crossed_max_ns'])}"
    )


def _locked(f: Figures) -> Found:
    return (NOTE, f"bid equals ask in {of_looks(f, 'locked_rows')}") if f.get("locked_rows") else None


def _empty_sides(f: Figures) -> Found:
    if not f.get("sides_empty"):
        return None
    whole = f.get("book_messages", f["rows"])
    return graded(f["sides_empty"] / whole, warning=0.5), f"no bid or no ask in {of_looks(f, 'sides_empty')}"


def _funding(f: Figures) -> Found:
    if not f.get("funding_steps_back"):
        return None
    times = "once" if f["funding_steps_back"] == 1 else f"{f['funding_steps_back']:,} times"
    return WARNING, f"the next funding time steps back {times}"


CONTENT_RULES: tuple[Rule, ...] = (
    Rule("sides", "unknown side: note; 1 % of rows: warning", _sides, "side_unknown"),
    Rule(
        "outliers",
        "an outlier: warning; 4 or more, and on 1 % of the trades or half of them at one price: note",
        _outliers,
        "outliers",
    ),
    Rule("amount", "one of 100 rows or more has over half of the day's amount: warning", _amount, "amount_max"),
    Rule(
        "late_snapshot",
        "rows before the first snapshot: warning; no snapshot: bad; the book of the day before is known: note",
        _late_snapshot,
        "rows_before_snapshot",
        "snapshots",
    ),
    Rule("snapshot_zeros", "a level of amount 0 in a snapshot: warning", _snapshot_zeros, "snapshot_zeros"),
    Rule("reconnects", "a snapshot after the first: note; ten: warning", _reconnects, "reconnects"),
    Rule("no_book", "prices that no one book can hold: warning; its figures are left out", _no_book, "books_refused"),
    Rule("absent", "removals of levels that are not in the book: note", _absent, "removals_absent"),
    Rule("book_cells", "a row of a book without price or amount: warning", _book_cells, "cells_empty"),
    Rule("crossed", "bid above ask: warning; a minute in all: bad", _crossed, "crossed_ns", "crossed_intervals"),
    Rule("locked", "bid equals ask: note", _locked, "locked_rows"),
    Rule(
        "empty_sides",
        "a row without bid or ask: note; half of the rows: warning, but not of options",
        _empty_sides,
        "sides_empty",
        mild=((None, "options_chain"),),
    ),
    Rule("funding", "next funding time steps back: warning", _funding, "funding_steps_back"),
)  # fmt: skip
