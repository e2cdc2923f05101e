"""`tickreel manifest`: what this store holds, and what the account may read."""

from tickreel.cli.options import JsonOption, QuietOption, StoreOption, store_path
from tickreel.cli.output import print_json


def manifest(store: StoreOption = None, json: JsonOption = False, quiet: QuietOption = False) -> int:
    """Print as JSON what the store holds: feeds, symbols, days, rows, times covered, gaps.

    Exit 1 if a segment cannot be opened.
    """
    from tickreel.store.catalog import Store
    from tickreel.store.holdings import holdings

    place = Store.existing(store_path(store))
    held = list(holdings(place))
    print_json(
        {"store": str(place.root), "primary": place.primary(), "feeds": place.feeds(), "holdings": held}
    )
    return 1 if any(entry["damaged"] for entry in held) else 0
