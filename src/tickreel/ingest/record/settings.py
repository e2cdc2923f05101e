"""How to record: what may be lost, what may wait, when days are sealed."""

from dataclasses import dataclass

from tickreel.units import NS_PER_S

MOST_INTERVAL_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """How to record.

    fsync_interval_ns   what a kill may cost; at most a second
    most_waiting_bytes  received and not on the disk: with more, nothing is read until there is room
    fill_after_ns       how long after a gap history is asked for it
    fill_lag_ns         declared delay, after their exchange time, of history's rows that have no local times: gaps are filled
                        with them, and segments tell it; None: such gaps stay open
    grace_ns            how long after its end a day waits for what is late
    seal_every_ns       how often days that go on are sealed as far as they are, None: when the recording stops
    workers             processes that make checkpoints of order books
    """

    fsync_interval_ns: int = NS_PER_S
    most_waiting_bytes: int = 64 << 20
    fill_after_ns: int = 600 * NS_PER_S
    fill_lag_ns: int | None = None
    grace_ns: int = 600 * NS_PER_S
    seal_every_ns: int | None = 1_800 * NS_PER_S
    workers: int | None = None
