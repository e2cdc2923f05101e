"""`tickreel switch` and `rollback`: which feed is read by default."""

from typing import Annotated, Any

import typer

from tickreel.cli.options import JsonOption, QuietOption, StoreOption, store_path
from tickreel.cli.output import note, print_json, print_table
from tickreel.errors import UsageError
from tickreel.units import format_time


def switch(
    name: Annotated[
        str | None, typer.Argument(help="The feed to read by default.", metavar="NAME", show_default=False)
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="List all switches; change nothing.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a feed the primary one, atomically.

    Commands that run keep the feed they began with; no import or recording has to stop.
    """
    from tickreel.store import primary
    from tickreel.store.catalog import Store

    place = Store.existing(store_path(store))
    if (name is None) != history:
        raise UsageError(
            f"name the feed to read, or --history; {place.primary()} is primary, the store has"
            f" {', '.join(place.feeds())}"
        )
    if name is None:
        found = primary.history(place)
        if json:
            print_json(_document(place, found))
        else:
            _print_history(found, place.primary())
        return
    done = primary.switch(place, name)
    _tell(place, done, f"{name} is primary already", json=json, quiet=quiet)


def rollback(store: StoreOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Undo the last switch: make the feed before it primary.

    Run again, it undoes the switch before that one; it never goes forward to a feed that was left.
    """
    from tickreel.store import primary
    from tickreel.store.catalog import Store

    place = Store.existing(store_path(store))
    _tell(place, primary.rollback(place), "", json=json, quiet=quiet)


def _tell(place: Any, done: Any, nothing: str, *, json: bool, quiet: bool) -> None:
    if json:
        print_json(_document(place, [done] if done else []))
    elif not quiet:
        note(f"{done.after} is primary, it was {done.before}" if done else nothing)


def _document(place: Any, switches: list[Any]) -> dict[str, Any]:
    return {
        "store": str(place.root), "primary": place.primary(),
        "switches": [
            {"time_ns": s.time_ns, "from": s.before, "to": s.after, "rollback": s.is_rollback} for s in switches
        ],
    }  # fmt: skip


def _print_history(switches: list[Any], now: str | None) -> None:
    rows = [
        (format_time(s.time_ns), s.before, s.after, "rolled back" if s.is_rollback else "") for s in switches
    ]
    print_table([(heading, "left") for heading in ("time", "from", "to", "")], rows)
    typer.echo(f"{now} is primary")
