"""`tickreel manifest`: what this store holds, and what the account may read."""

from typing import Annotated, Any

import typer

from tickreel.cli.options import JsonOption, QuietOption, StoreOption, split_each, store_path
from tickreel.cli.output import print_json


def manifest(
    provider: Annotated[
        list[str] | None,
        typer.Option(
            "--provider", help="Say also what its account may read: A,B; repeatable.", show_default=False
        ),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Print as JSON what the store holds and may read.

    Exit 1 if a segment cannot be opened.
    """
    from tickreel.config import load_profile
    from tickreel.store.catalog import Store
    from tickreel.store.holdings import holdings

    place = Store.existing(store_path(store))
    profiles = [load_profile(name, use=False).profile for name in split_each(provider, "--provider")]
    held = list(holdings(place))
    print_json({
        "store": str(place.root), "primary": place.primary(), "feeds": place.feeds(), "holdings": held,
        "accounts": [_account(profile) for profile in profiles],
    })  # fmt: skip
    return 1 if any(entry["damaged"] for entry in held) else 0


def _account(profile: Any) -> dict[str, Any]:
    """Return what an account may read, or why that is not known: the store's part stands without it."""
    from tickreel.config import find_key
    from tickreel.config.keys import looked_for
    from tickreel.errors import NetworkError
    from tickreel.ingest.download.provider_check import account_access

    key = access = reason = None
    try:
        key = find_key(profile)
        if not profile.enabled:
            reason = "switched off"
        elif key is None:
            reason = (
                f"without a key: {looked_for(profile)}"
                if profile.key.use != "never"
                else "it has no accounts"
            )
        elif (access := account_access(profile, key)) is None:
            reason = "it does not say what a key may read"
    except NetworkError as error:
        reason = str(error)
    return {"provider": profile.name, "key": key.place if key else None, "access": access, "reason": reason}
