"""The command: `python -m bench`, from the root of the repository."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.child import ROOT
from bench.machine import describe
from bench.model import BenchError, Settings
from bench.report import Report
from bench.sections import SECTIONS

_REAL = ROOT.parent / "shared" / "data" / "tardis"
_LEAST = 10_000


def main(words: Sequence[str] | None = None) -> int:
    """Run sections and print them as they end; return 1 if one failed, whatever the bars say."""
    asked = _parser().parse_args(words)
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    settings = Settings(asked.trades, asked.real, work, asked.rounds)
    report, document = Report(), _document(settings)
    report.header(document["machine"])
    failed = False
    for name in asked.only or SECTIONS:
        section = SECTIONS[name]
        try:
            rows = section.run(settings)
        except BenchError as error:
            failed = True
            report.failed(name, section.TITLE, str(error))
            document["sections"][name] = {"title": section.TITLE, "error": str(error)}
        else:
            report.section(name, section.TITLE, rows)
            document["sections"][name] = {"title": section.TITLE, "rows": [row.document() for row in rows]}
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return int(failed)


def _document(settings: Settings) -> dict[str, Any]:
    return {"machine": describe(), "settings": settings.plain(), "sections": {}}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="tickreel beside its peers.")
    add = parser.add_argument
    add("--trades", type=_trades, default=2_000_000, help="of the synthetic market, about [2000000]")
    add("--real", type=_folder, default=_REAL if _REAL.is_dir() else None, metavar="FOLDER",
        help="real Tardis files [../shared/data/tardis, if there]")  # fmt: skip
    add(
        "--only", action="append", choices=SECTIONS, metavar="NAME", help=f"{', '.join(SECTIONS)}; repeatable"
    )
    add("--rounds", type=_rounds, default=5, help="times that each figure is taken [5]")
    add(
        "--work", type=Path, default=ROOT / "bench" / "work", metavar="FOLDER", help="data, kept [bench/work]"
    )
    add("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


def _trades(text: str) -> int:
    return _whole(text, _LEAST)


def _rounds(text: str) -> int:
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text.replace("_", ""))
    except ValueError:
        value = -1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number of {least:,} or more")
    return value


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text}: no such folder")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
