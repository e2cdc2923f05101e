"""`tickreel import`: files into the store."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.options import (
    JsonOption,
    MemoryLimitOption,
    QuietOption,
    StoreOption,
    WorkersOption,
    split_list,
    store_path,
)
from tickreel.cli.output import Bars, counts, note, print_json, print_table, progress_bars
from tickreel.units import counted


def import_(
    paths: Annotated[
        list[str], typer.Argument(help="Files, folders or globs: .csv, .csv.gz, .csv.zst.", metavar="PATH...")
    ],
    feed: Annotated[str, typer.Option("--feed", help="Name under which the data is kept.")] = "tardis",
    types: Annotated[
        str | None,
        typer.Option(
            "--types", help="Record types to take; needed where no path tells it.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a file with rows that cannot be right.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Let a file take the place of other files' rows of the same time."),
    ] = False,
    optimise: Annotated[
        str,
        typer.Option("--optimise", help="What to compress for: size, balanced, speed, or plain for nothing."),
    ] = "balanced",
    memory_limit: MemoryLimitOption = None,
    store: StoreOption = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Import Tardis files. Files that were imported before are skipped; a killed import goes on where it was."""
    from tickreel.codecs.choice import check_purpose
    from tickreel.ingest.files.importer import ImportSettings, import_files
    from tickreel.ingest.files.memory import workers_within
    from tickreel.store.catalog import Store

    settings = ImportSettings(
        feed, split_list(types, "--types"), strict, replace,
        workers_within(memory_limit, workers),
        optimise=check_purpose(optimise, "--optimise"),
    )  # fmt: skip
    with progress_bars(not (json or quiet)) as bars:
        show = ImportProgress(bars)
        summary = import_files(
            Store(store_path(store)), paths, settings, on_plan=show.plan, on_progress=show.progress,
            on_books=show.books,
        )  # fmt: skip
    if json:
        print_json(import_document(summary))
    else:
        report_import(summary, quiet=quiet)
    return summary.exit_code


class ImportProgress:
    """One bar over the bytes of all files."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._sizes: dict[str, int] = {}
        self._read: dict[str, float] = {}

    def plan(self, paths: list[Path]) -> None:
        self._sizes = {str(path): os.path.getsize(path) for path in paths if path.exists()}
        self._bars.begin("import", sum(self._sizes.values()), unit=counted(len(paths), "file"))

    def books(self, done: int, total: int) -> None:
        if done == 1:
            self._bars.begin("order books", total, unit=counted(total, "day"))
        self._bars.at("order books", done)

    def progress(self, path: str, numbers: dict[str, Any]) -> None:
        self._read[path] = self._sizes.get(path, 0) if "done" in numbers else numbers.get("bytes", 0)
        self._bars.at("import", sum(self._read.values()))


def import_document(summary: Any) -> dict[str, Any]:
    """Return what `--json` prints."""
    files = []
    for report in summary.files:
        row: dict[str, Any] = {"path": report.path, "state": report.state}
        if report.result and report.state != "skipped":
            result = report.result
            row |= {
                "lines": result.lines,
                "rows": result.rows,
                "clock": "local" if result.local else "exchange",
            }
            row |= findings_document(report)
        if report.error:
            row |= {"error": report.error, "error_type": report.error_type}
        files.append(row)
    states = [report.state for report in summary.files]
    totals = {state: states.count(state) for state in ("imported", "merged", "replaced", "skipped", "failed")}
    done = [r.result for r in summary.files if r.result and r.state not in ("failed", "skipped")]
    totals |= {"lines": sum(r.lines for r in done), "rows": sum(r.rows for r in done)}
    totals["set_aside"] = sum(finding.count for r in done for finding in r.set_aside.values())
    return {
        "store": summary.store, "feed": summary.feed, "totals": totals,
        "passed_over": summary.passed_over, "books": summary.books, "files": files, "exit_code": summary.exit_code,
    }  # fmt: skip


def findings_document(report: Any) -> dict[str, Any]:
    """Return what was found in a file: set aside and odd, with examples, and where it went."""
    result = report.result
    return {
        "set_aside": {kind: finding.count for kind, finding in result.set_aside.items()},
        "odd": {kind: finding.count for kind, finding in result.odd.items()},
        "examples": {kind: finding.examples for kind, finding in {**result.set_aside, **result.odd}.items()},
        "rejects": report.rejects or None,
        "segments": list(report.segments),
    }


def report_import(summary: Any, *, quiet: bool) -> None:
    """Print what became of the files: totals, what is odd or set aside, and every failure."""
    totals = import_document(summary)["totals"]
    if not quiet:
        parts = [
            f"{totals[s]:,} {s}" for s in ("imported", "merged", "replaced", "skipped", "failed") if totals[s]
        ]
        note(
            f"{', '.join(parts)}; {counted(totals['rows'], 'row')} put into {summary.store}, feed {summary.feed}"
        )
        for reason, count in summary.passed_over.items():
            note(f"passed over: {count:,} {reason}")
        empty = [
            r
            for r in summary.files
            if r.result and not r.result.lines and r.state not in ("failed", "skipped")
        ]
        if empty:
            note(f"files without rows: {len(empty):,}, e.g. {empty[0].path}")
        _note_clock(summary)
        print_findings(summary.files)
    for report in summary.files:
        if report.result and report.result.lines and not report.result.rows and report.state != "skipped":
            note(f"{report.path}: none of its {counted(report.result.lines, 'row')} could be kept")
    for problem in summary.books:
        note(f"no order book: {problem}")
    for report in summary.failed:
        typer.secho("failed: ", err=True, nl=False, fg="red")
        note(report.error)


def _note_clock(summary: Any) -> None:
    """Say which files have no local times, and what that leaves out."""
    without = [report for report in summary.files if report.result and not report.result.local]
    if without:
        note(
            f"files without local times: {len(without):,}, e.g. {without[0].path}: days and order are those of"
            " exchange time, whether a row arrived before it happened is not looked at, and a run over them needs"
            " --feed-latency"
        )


def _named(path: Path) -> str:
    """Return as much of a path as tells exchange, type, day and symbol: the name alone, or the folders too."""
    return path.name if path.name.count("_") >= 3 else "/".join(path.parts[-6:])


def print_findings(reports: Sequence[Any]) -> None:
    """Print what is odd or set aside in files, and where the rows set aside are."""
    totals: dict[tuple[str, str], list[Any]] = {}
    for report in reports:
        if report.result is None or report.state == "failed":
            continue
        for what, findings in (("set aside", report.result.set_aside), ("kept, odd", report.result.odd)):
            for kind, count, places in counts(findings):
                row = totals.setdefault((what, kind), [0, 0, f"{_named(Path(report.path))}: {places}"])
                row[0] += count
                row[1] += 1
    if totals:
        rows = [
            (what, kind.replace("_", " "), f"{count:,}", f"{files:,}", first)
            for (what, kind), (count, files, first) in sorted(totals.items(), key=lambda item: item[0])
        ]
        columns = [
            ("", "left"),
            ("rows with", "left"),
            ("count", "right"),
            ("files", "right"),
            ("first", "words"),
        ]
        print_table(columns, rows, names=2)
    for report in reports:
        if report.rejects:
            note(f"rows set aside are in {report.rejects}")
