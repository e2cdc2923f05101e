"""What a recorder counts, and how that is shown: numbers of each stream and feed, and Prometheus' text of them; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from tickreel.units import NS_PER_S

_LAGS = 1 << 10
_RATE_S = 10.0


class StreamNumbers(msgspec.Struct):
    """Of one stream. rates are of the last seconds; lags None before there are messages with a time.

    held      times that nothing was read, for want of room to write
    errors    messages in which the provider says that its own connection failed
    silent_ns since the last message; None before there is one
    """

    exchange: str
    state: str
    messages: int
    messages_per_s: float
    lag_p50_ns: int | None
    lag_p99_ns: int | None
    gaps: int
    gaps_ns: int
    reconnects: int
    errors: int
    held: int
    silent_ns: int | None
    last_error: str


class FeedNumbers(msgspec.Struct):
    """Of one feed. gaps_filled and gaps_waiting: of the gaps of days that are not sealed; unsealed: days that cannot be."""

    feed: str
    primary: bool
    streams: list[StreamNumbers]
    waiting_bytes: int
    gaps_filled: int
    gaps_waiting: int
    days: list[str]
    sealing: str
    disk_free_bytes: int
    uptime_ns: int
    unsealed: list[str]
    problem: str = ""


@dataclass(slots=True)
class StreamStatus:
    """What a stream counts as it goes; written in one thread, read in another."""

    exchange: str
    state: str = "connecting"
    messages: int = 0
    gaps: int = 0
    gaps_ns: int = 0
    reconnects: int = 0
    errors: int = 0
    held: int = 0
    last_ns: int | None = None
    last_steady_ns: int = 0
    """When the latest message came, by the wall's clock and by one that is never set."""
    last_error: str = ""
    _lags_ns: np.ndarray = field(default_factory=lambda: np.zeros(_LAGS, np.int64))
    _lags: int = 0
    _marks: list[tuple[float, int]] = field(default_factory=list)

    def lag(self, lag_ns: int) -> None:
        """Count how long after its exchange time a message came."""
        self._lags_ns[self._lags % _LAGS] = lag_ns
        self._lags += 1

    def numbers(self, steady_ns: int) -> StreamNumbers:
        """Return the numbers now; of a clock that is never set."""
        lags = self._lags_ns[: min(self._lags, _LAGS)]
        p50, p99 = np.percentile(lags, (50, 99)).astype(int).tolist() if len(lags) else (None, None)
        return StreamNumbers(
            self.exchange, self.state, self.messages, self._rate(steady_ns / NS_PER_S), p50, p99, self.gaps, self.gaps_ns,
            self.reconnects, self.errors, self.held,
            None if self.last_ns is None else max(0, steady_ns - self.last_steady_ns), self.last_error,
        )  # fmt: skip

    def _rate(self, now_s: float) -> float:
        self._marks.append((now_s, self.messages))
        while len(self._marks) > 2 and now_s - self._marks[1][0] >= _RATE_S:
            self._marks.pop(0)
        then_s, before = self._marks[0]
        return (self.messages - before) / (now_s - then_s) if now_s > then_s else 0.0


METRICS = {
    "messages_total": ("counter", "messages received"),
    "messages_per_second": ("gauge", "messages received, of the last 10 s"),
    "lag_seconds": ("gauge", "from exchange time to arrival, of the last 1,024 looked at"),
    "gaps_total": ("counter", "times without messages that were noted"),
    "gap_seconds_total": ("counter", "their length together"),
    "reconnects_total": ("counter", "connections after the first"),
    "provider_errors_total": ("counter", "failures of its own that the provider told"),
    "held_total": ("counter", "times that nothing was read, for want of room to write"),
    "connected": ("gauge", "1 while the stream is open"),
    "silent_seconds": ("gauge", "since the last message"),
    "queue_bytes": ("gauge", "received and not on the disk yet"),
    "gaps_filled": (
        "gauge",
        "gaps that history filled, of this recording and of days that were not sealed before it",
    ),
    "gaps_waiting": ("gauge", "gaps of unsealed days that wait for history"),
    "unsealed_days": ("gauge", "days that could not be sealed; their journals are kept"),
    "disk_free_bytes": ("gauge", "room left on the store's disk"),
    "uptime_seconds": ("gauge", "since the recorder began"),
    "primary": ("gauge", "1 for the feed that is read unless another is asked for"),
}
"""Name (after tickreel_record_) -> kind and meaning."""


def prometheus(feeds: Sequence[FeedNumbers]) -> str:
    """Return the numbers in Prometheus' text format."""
    samples: dict[str, list[str]] = {name: [] for name in METRICS}

    def add(name: str, value: float, **labels: str) -> None:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        samples[name].append(f"tickreel_record_{name}{{{shown}}} {value:.17g}")

    for feed in feeds:
        for stream in feed.streams:
            labels = {"feed": feed.feed, "exchange": stream.exchange}
            add("messages_total", stream.messages, **labels)
            add("messages_per_second", stream.messages_per_s, **labels)
            for quantile, lag_ns in (("0.5", stream.lag_p50_ns), ("0.99", stream.lag_p99_ns)):
                if lag_ns is not None:
                    add("lag_seconds", lag_ns / NS_PER_S, **labels, quantile=quantile)
            add("gaps_total", stream.gaps, **labels)
            add("gap_seconds_total", stream.gaps_ns / NS_PER_S, **labels)
            add("reconnects_total", stream.reconnects, **labels)
            add("provider_errors_total", stream.errors, **labels)
            add("held_total", stream.held, **labels)
            add("connected", float(stream.state == "open"), **labels)
            if stream.silent_ns is not None:
                add("silent_seconds", stream.silent_ns / NS_PER_S, **labels)
        add("queue_bytes", feed.waiting_bytes, feed=feed.feed)
        add("gaps_filled", feed.gaps_filled, feed=feed.feed)
        add("gaps_waiting", feed.gaps_waiting, feed=feed.feed)
        add("unsealed_days", len(feed.unsealed), feed=feed.feed)
        add("disk_free_bytes", feed.disk_free_bytes, feed=feed.feed)
        add("uptime_seconds", feed.uptime_ns / NS_PER_S, feed=feed.feed)
        add("primary", float(feed.primary), feed=feed.feed)
    lines = []
    for name, (kind, text) in METRICS.items():
        lines += [
            f"# HELP tickreel_record_{name} {text}",
            f"# TYPE tickreel_record_{name} {kind}",
            *samples[name],
        ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
