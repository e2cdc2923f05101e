"""Days without rows of symbols that nothing else vouches for: a provider that answers them answers any name."""

from collections.abc import Iterable

from tickreel.errors import MissingError
from tickreel.ingest.download.fetch import Arrived, Lost
from tickreel.instruments import dataset_symbol
from tickreel.sources.tardis_http import DayFile
from tickreel.store.catalog import Store


class Doubts:
    """Holds back empty days until some row of their symbol has come, or is in the store, of any feed and type."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], bool] = {}
        self._held: list[Arrived] = []

    def settle(self, arrived: Iterable[Arrived]) -> list[Arrived]:
        """Return those of some days that can be imported, and those held so far of which that is so now."""
        days = [*self._held, *arrived]
        for one in days:
            if not one.empty:
                self._known[_symbol(one.file)] = True
        self._held = [one for one in days if one.empty and not self._knows(one.file)]
        held = {one.file for one in self._held}
        return [one for one in days if one.file not in held]

    def lost(self) -> list[Lost]:
        """Return the days of which it is not so at the end."""
        return [
            Lost(one.file, MissingError(f"{one.file.symbol} has no rows on any day: is the symbol right?"))
            for one in self._held
        ]

    def _knows(self, file: DayFile) -> bool:
        place = _symbol(file)
        if place not in self._known:
            names = {place[1], file.symbol.upper()}
            found = self._store.find(exchange=file.exchange, symbol=names)
            self._known[place] = next(found, None) is not None
        return self._known[place]


def _symbol(file: DayFile) -> tuple[str, str]:
    return file.exchange, dataset_symbol(file.symbol)
