"""What a fetched day is."""

from dataclasses import dataclass

from tickreel.store.format import Gap


@dataclass(frozen=True, slots=True)
class Fetched:
    """A day as it was fetched. bytes: packed; gaps: ascending.

    empty  without a row, of a provider that answers so for names that are no symbols, too
    """

    bytes: int
    gaps: tuple[Gap, ...] = ()
    empty: bool = False
