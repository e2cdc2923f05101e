"""`tickreel watch`: two feeds compared again and again, with an alert when they part."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.cli.comparing import (
    AArgument,
    AmountToleranceOption,
    BArgument,
    LateOption,
    MaxDaysOption,
    MaxDifferentOption,
    MaxExtraOption,
    MaxLateOption,
    MaxMissingOption,
    PriceToleranceOption,
    TimeToleranceOption,
    TypesOption,
    WindowOption,
    limits_of,
    question,
)
from tickreel.cli.options import (
    ExchangeOption,
    JsonOption,
    QuietOption,
    StoreOption,
    SymbolsOption,
    WorkersOption,
    file,
    store_path,
)
from tickreel.cli.output import note, note_error, print_json
from tickreel.errors import UsageError
from tickreel.units import NS_PER_S, counted, format_time

_MOST_WAITING = 100
"""Alerts that wait for a webhook; of more the oldest go: the log has them."""


def watch(
    a: AArgument,
    b: BArgument,
    store: StoreOption = None,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    types: TypesOption = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="First time to compare, UTC [what comes from now on].", show_default=False
        ),
    ] = None,
    every: Annotated[str, typer.Option("--every", help="From look to look.")] = "60s",
    duration: Annotated[str, typer.Option("--for", help="How long to watch.")] = "24h",
    delay: Annotated[
        str, typer.Option("--delay", help="What one feed has had for so long, the other must have.")
    ] = "1h",
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            parser=file("--log", "watch.jsonl"),
            help="Add a JSON line for each look; go on from the last.",
            show_default=False,
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            "--webhook", help="Post each alert there, as JSON [else TICKREEL_WEBHOOK].", show_default=False
        ),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End at the first alert.")] = False,
    window: WindowOption = "10s",
    time_tolerance: TimeToleranceOption = "0",
    price_tolerance: PriceToleranceOption = "0",
    amount_tolerance: AmountToleranceOption = "0",
    late: LateOption = "100ms",
    max_missing: MaxMissingOption = "0",
    max_extra: MaxExtraOption = "0",
    max_different: MaxDifferentOption = "0",
    max_late: MaxLateOption = "none",
    max_days: MaxDaysOption = "0",
    workers: WorkersOption = 1,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Compare what is new in two feeds, look after look.

    Exit 1 if a limit was passed. Killed or interrupted, the same command with --log goes on where it was.
    """
    from tickreel.ingest.transport.webhook import Webhook
    from tickreel.quality.compare_watch import Watch, append_log, read_log

    asked = question(
        a, b, store_path(store), (exchange, symbols, types, start, None),
        (window, time_tolerance, price_tolerance, amount_tolerance, late),
    )  # fmt: skip
    limits = limits_of(max_missing, max_extra, max_different, max_late, max_days)
    address = webhook or os.environ.get("TICKREEL_WEBHOOK")
    posts = _Posts(Webhook(address) if address else None)
    every_ns, for_ns, delay_ns = _spans(every, duration, delay)
    looks = read_log(log, asked) if log else []
    watched = Watch(asked, limits, delay_ns=delay_ns, looks=looks, workers=workers)
    alerts = [look for look in looks if look.alert]
    end_ns = (looks[0].at_ns if looks else time.time_ns()) + for_ns
    count = len(looks)
    while True:
        begun_s = time.monotonic()
        look = watched.look(time.time_ns())
        if log:
            append_log(log, look)
        count += 1
        alerts += [look] * look.alert
        if not json:
            _print(look, quiet=quiet)
        posts.send(look)
        if (look.alert and stop) or look.at_ns >= end_ns:
            break
        # Not by the machine's clock alone: it may be set back.
        left_s = every_ns / NS_PER_S - (time.monotonic() - begun_s)
        time.sleep(max(min(left_s, (end_ns - time.time_ns()) / NS_PER_S), 0))
    if json:
        print_json(_document(asked, look, count, alerts))
    return 1 if alerts else 0


def _spans(every: str, duration: str, delay: str) -> tuple[int, int, int]:
    from tickreel.units import parse_duration

    every_ns = parse_duration(every, "--every")
    if every_ns < NS_PER_S // 10:
        raise UsageError(f"--every {every}: at least 100ms")
    return every_ns, parse_duration(duration, "--for"), parse_duration(delay, "--delay")


class _Posts:
    """The alerts that a webhook has not yet taken: each look tries again."""

    def __init__(self, webhook: Any) -> None:
        self._webhook, self._waiting = webhook, list[bytes]()

    def send(self, look: Any) -> None:
        import msgspec

        if self._webhook is None:
            return
        if look.alert:
            self._waiting = [*self._waiting[1 - _MOST_WAITING :], msgspec.json.encode(look)]
        taken, error = self._webhook.post(self._waiting)
        del self._waiting[:taken]
        if error:
            note_error(
                f"{error}; {counted(len(self._waiting), 'alert')} not delivered, tried again at the next look"
            )


def _print(look: Any, *, quiet: bool) -> None:
    """Print a look for people: an alert always, another one unless it is to be quiet."""
    found = look.found
    if look.from_ns == look.to_ns:
        text = "nothing new"
    else:
        counts = ", ".join(
            f"{found[name] or 0:,} {name}" for name in ("missing", "extra", "different", "late")
        )
        text = f"up to {format_time(look.to_ns)}: {found['matched']:,} matched, {counts}"
    if look.alert:
        note_error(f"{format_time(look.at_ns)} {text}; {'; '.join(look.exceeded)}")
    elif not quiet:
        note(f"{format_time(look.at_ns)} {text}")


def _document(asked: Any, look: Any, count: int, alerts: list[Any]) -> dict[str, Any]:
    import msgspec

    return {
        "a": asked.a.text, "b": asked.b.text, "looks": count, "to_ns": look.to_ns, "since": look.since,
        "alerts": [msgspec.to_builtins(alert) for alert in alerts],
    }  # fmt: skip
