"""The commands, and what an error becomes: a line on stderr and an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from tickreel import __version__
from tickreel.cli import (
    book,
    comparing,
    cost,
    demo,
    downloading,
    importing,
    instruments,
    manifest,
    provider,
    quality,
    raw,
    reading,
    recording,
    running,
    sweeping,
    switching,
    upkeep,
    warm,
    watching,
)
from tickreel.cli.output import error_document, note_error
from tickreel.errors import TickreelError, disk_error

INTERRUPTED = 130
_AGAIN = {
    "import": "what was reported done is kept, run the same command again to go on",
    "download": "what has come is kept, run the same command again to go on",
    "raw": "what has come is kept, run the same command again to go on",
    "watch": "run the same command again: with --log it goes on where it was",
    "record": "what came is in the journal, the next recording seals it",
}
"""What an interrupted command leaves, where it is not nothing."""

_Complaint: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of all that typer says of wrong words; some versions bring their own copy of click."""

app = typer.Typer(
    name="tickreel",
    help="Keeps and replays the market's tape: tick data in a compressed store, backtested on all cores.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _function in (
    ("demo", demo.demo),
    ("import", importing.import_),
    ("download", downloading.download),
    ("raw", raw.raw),
    ("record", recording.record),
    ("run", running.run),
    ("sweep", sweeping.sweep),
    ("ls", reading.ls),
    ("show", reading.show),
    ("bars", reading.bars),
    ("book", book.book),
    ("stats", upkeep.stats),
    ("quality", quality.quality),
    ("check", upkeep.check),
    ("rm", upkeep.rm),
    ("manifest", manifest.manifest),
    ("compare", comparing.compare),
    ("watch", watching.watch),
    ("switch", switching.switch),
    ("rollback", switching.rollback),
    ("cost", cost.cost),
    ("synth", demo.synth),
    ("warm", warm.warm),
):
    app.command(_name)(_function)
app.add_typer(instruments.app, name="instruments")
app.add_typer(provider.app, name="provider")


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version.")
) -> None:
    if version:
        typer.echo(f"tickreel {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code: 0, or that of the error (see errors.py), or 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        result = app(words, prog_name="tickreel", standalone_mode=False)
        sys.stdout.flush()
        # typer makes Ctrl-C a result of its own.
        return _interrupted(words) if result == INTERRUPTED else int(result or 0)
    except TickreelError as error:
        return _fail(str(error), type(error).__name__, error.exit_code, as_json)
    except _Complaint as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            return 2
        return _fail(_complaint(error), "UsageError", 2, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(words)
    except OSError as error:
        wrapped = disk_error(error, str(error.filename or "writing the output"))
        return _fail(str(wrapped), type(wrapped).__name__, wrapped.exit_code, as_json)


def _complaint(error: Any) -> str:
    """Return what typer says of wrong words as one of our own messages."""
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    path = getattr(getattr(error, "ctx", None), "command_path", None) or "tickreel"
    return f"{message}{'' if message.endswith('?') else ';'} see {path} --help"


def _interrupted(words: list[str]) -> int:
    command = next((word for word in words if not word.startswith("-")), "")
    begins = "run the same command again: it starts from its beginning"
    if {"--fetch", "--real"} & set(words):
        begins = "what was fetched is kept, run the same command again: the run starts from its beginning"
    rest = _AGAIN.get(command, begins)
    return _fail(f"interrupted; {rest}", "Interrupted", INTERRUPTED, "--json" in words)


def _fail(message: str, kind: str, code: int, as_json: bool) -> int:
    if as_json:
        error_document(message, kind, code)
    note_error(message)
    return code
