"""The commands, and what an error becomes: a line on stderr and an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from tickreel import __version__
from tickreel.cli import book, demo, importing, quality, reading, running, upkeep, warm
from tickreel.cli.output import error_document, note_error
from tickreel.errors import TickreelError, disk_error

INTERRUPTED = 130

_Complaint: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of all that typer says of wrong words; some versions bring their own copy of click."""

app = typer.Typer(
    name="tickreel",
    help="Keeps and replays the market's tape: tick data in a compressed store, backtested on all cores.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _function in (
    ("demo", demo.demo),
    ("import", importing.import_),
    ("run", running.run),
    ("ls", reading.ls),
    ("show", reading.show),
    ("bars", reading.bars),
    ("book", book.book),
    ("stats", upkeep.stats),
    ("quality", quality.quality),
    ("check", upkeep.check),
    ("rm", upkeep.rm),
    ("synth", demo.synth),
    ("warm", warm.warm),
):
    app.command(_name)(_function)


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version.")
) -> None:
    if version:
        typer.echo(f"tickreel {__version__}")
        raise typer.Exit


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code: 0, or that of the error (see errors.py), or 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        result = app(words, prog_name="tickreel", standalone_mode=False)
        sys.stdout.flush()
        # typer makes Ctrl-C a result of its own.
        return _interrupted(as_json) if result == INTERRUPTED else int(result or 0)
    except TickreelError as error:
        return _fail(str(error), type(error).__name__, error.exit_code, as_json)
    except _Complaint as error:
        hint = "" if as_json else "; tickreel --help lists the commands"
        return _fail(error.format_message().rstrip(".") + hint, "UsageError", 2, as_json)
    except SystemExit as stop:
        # typer ends the process itself when a reader has left.
        return int(stop.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(as_json)
    except OSError as error:
        wrapped = disk_error(error, str(error.filename or "a file"))
        return _fail(str(wrapped), type(wrapped).__name__, wrapped.exit_code, as_json)


def _interrupted(as_json: bool) -> int:
    message = "interrupted; what was reported done is kept, run the same command again to go on"
    return _fail(message, "Interrupted", INTERRUPTED, as_json)


def _fail(message: str, kind: str, code: int, as_json: bool) -> int:
    if as_json:
        error_document(message, kind, code)
    note_error(message)
    return code
