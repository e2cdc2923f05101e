"""Rules of provenance and ids: what import did, and what is missing, late or there twice."""

from tickreel.quality.figures import Figures
from tickreel.quality.rule import NOTE, WARNING, Found, Rule, graded
from tickreel.quality.words import of_rows
from tickreel.report.figures import counted
from tickreel.report.words import percent

FEW_HOLES = 10
HOLE_SHARE = 0.01
STRANGE_SHARE = 0.5


def _of_files(f: Figures) -> str:
    """Return whose lines were counted: those of the files, which may hold more than the segment."""
    shared = f.get("lines", 0) > f["rows"] + f["set_aside"]
    return "its files" + (" (which hold other symbols or days too)" if shared else "")


def _set_aside(f: Figures) -> Found:
    if not f.get("set_aside"):
        return None
    return WARNING, f"import set aside {counted(f['set_aside'], 'line')} of {_of_files(f)}"


def _order(f: Figures) -> Found:
    if not f.get("out_of_order"):
        return None
    return NOTE, f"import put in order {counted(f['out_of_order'], 'row')} of {_of_files(f)}"


def _no_ids(f: Figures) -> Found:
    if not f.get("ids_empty"):
        return None
    if f["ids_empty"] == f["rows"]:
        return NOTE, "no row has an id: missing and repeated trades cannot be told"
    return WARNING, f"no id in {of_rows(f, 'ids_empty')}"


def _ids_text(f: Figures) -> Found:
    if not f.get("ids_text"):
        return None
    return NOTE, f"the id is no number in {of_rows(f, 'ids_text')}: of these none can be missed"


def count_rows(f: Figures) -> bool:
    """Return whether the ids number the rows one by one, but for some holes."""
    return f["id_holes"] < max(FEW_HOLES, HOLE_SHARE * f["rows"])


def _id_holes(f: Figures) -> Found:
    if not f.get("id_holes"):
        return None
    missing, rows, holes = f["ids_missing"], f["rows"], counted(f["id_holes"], "hole")
    if f["id_holes"] > STRANGE_SHARE * rows:
        return (
            NOTE,
            f"ids are no count of this symbol: {missing:,} numbers lie between those of {rows:,} rows",
        )
    if not count_rows(f):
        return WARNING, (
            f"{counted(missing, 'id')} missing in {holes}, one for {percent(f['id_holes'], rows)} of the rows:"
            " rows were lost one by one, or the ids count more than this symbol"
        )
    return graded(missing / (rows + missing), warning=0.0, bad=0.05), (
        f"{counted(missing, 'id')} missing ({percent(missing, rows + missing)}) in {holes},"
        f" at most {f['id_hole_max']:,} in one"
    )


def _ids_late(f: Figures) -> Found:
    if not f.get("ids_late"):
        return None
    return NOTE, f"ids come after higher ones in {of_rows(f, 'ids_late')}"


def _ids_twice(f: Figures) -> Found:
    twice = max(f.get("id_twice", 0), f.get("ids_repeated", 0))
    if not twice:
        return None
    return WARNING, f"{counted(twice, 'row')} {'has' if twice == 1 else 'have'} an id that came before"


def _ids_backwards(f: Figures) -> Found:
    return (WARNING, f"ids go backwards in {of_rows(f, 'ids_backwards')}") if f.get("ids_backwards") else None


ID_RULES: tuple[Rule, ...] = (
    Rule("set_aside", "lines that import set aside: warning", _set_aside, "set_aside", whole=True),
    Rule("order", "rows that import put in order: note", _order, "out_of_order", whole=True),
    Rule("no_ids", "no id on any row: note; on some: warning", _no_ids, "ids_empty"),
    Rule("ids_text", "an id that is no number: note", _ids_text, "ids_text"),
    Rule(
        "id_holes",
        "ids missing: warning; 5 % in few holes: bad; 10 holes or more and one for 1 % of the rows: warning,"
        " for half of them: note, the ids count something else",
        _id_holes,
        "ids_missing",
        "id_holes",
    ),
    Rule("ids_late", "an id that fills a hole before it: note", _ids_late, "ids_late"),
    Rule("ids_twice", "an id that came before: warning", _ids_twice, "id_twice", "ids_repeated"),
    Rule("ids_backwards", "an id not above the highest that fills no hole: warning", _ids_backwards, "ids_backwards"),
)  # fmt: skip
