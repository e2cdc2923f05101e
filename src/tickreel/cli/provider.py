"""`tickreel provider list`, `show` and `test`: who sells data, by which profile, and whether they answer."""

from typing import Annotated, Any

import typer

from tickreel.cli.options import JsonOption, QuietOption
from tickreel.cli.output import note, print_json, print_table, wait_text
from tickreel.errors import MissingError, NetworkError

app = typer.Typer(
    help="Say who sells data, how they are asked, whether they answer.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(help="A provider, see provider list.", metavar="NAME")]


@app.command("list")
def list_(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the providers: the built-in ones and those of your providers.toml."""
    from tickreel.config import load_profile, provider_names
    from tickreel.config.load import user_file

    rows = [_listed(load_profile(name, use=False).profile) for name in provider_names()]
    if json:
        print_json({"file": str(user_file()), "providers": rows})
        return
    names = ("provider", "kind", "enabled", "key", "base_url")
    cells = [tuple(_word(row[name]) for name in names) for row in rows]
    print_table([(name.replace("base_url", "address"), "left") for name in names], cells)
    if not quiet:
        note(f"your own are tables of {user_file()} (docs/PROVIDERS.md)")


@app.command("show")
def show(name: NameArgument, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Print a provider's profile as it is in effect, as TOML, with where each value was written."""
    from tickreel.config import load_profile
    from tickreel.config.show import as_toml, values

    loaded = load_profile(name, use=False)
    place, problem = _key(loaded.profile)
    if json:
        print_json({"provider": name, "key": place, "key_problem": problem, "values": values(loaded)})
        return
    typer.echo(as_toml(loaded), nl=False)
    if not quiet:
        note(f"key: {problem or place or 'none'}")


@app.command("test")
def try_(name: NameArgument, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Make the smallest real request, twenty times: does it answer, how fast, what may the key read."""
    from tickreel.config import find_key, load_profile
    from tickreel.config.load import user_file
    from tickreel.ingest.download.provider_check import REQUESTS, check_provider

    profile = load_profile(name).profile
    key = find_key(profile)

    def told(wait: Any) -> None:
        if not quiet:
            note(wait_text(wait))

    try:
        checked = check_provider(profile, key, on_wait=told)
    except MissingError:
        raise MissingError(
            f"{name}: {profile.base_url} answered 404, so that is not its address; check base_url of [{name}] in"
            f" {user_file()}, or {name.upper().replace('-', '_')}_BASE_URL"
        ) from None
    milliseconds = {f"p{share}": checked.quantile_s(share / 100) * 1_000 for share in (50, 99)}
    if json:
        print_json({
            "provider": name, "url": checked.url, "key": key.place if key else None, "requests": REQUESTS,
            "round_trip_ms": milliseconds, "access": checked.access,
        })  # fmt: skip
        return
    typer.echo(f"{name} answers at {checked.url}, with {f'the key of {key.place}' if key else 'no key'}")
    typer.echo(
        f"round trip: p50 {milliseconds['p50']:.1f} ms, p99 {milliseconds['p99']:.1f} ms of {REQUESTS} requests"
    )
    if checked.access is not None:
        _print_access(checked.access)
    elif profile.key.rule and not quiet:
        note(profile.key.rule)


def _print_access(access: list[dict[str, Any]]) -> None:
    from tickreel.ingest.download.provider_check import ACCESS

    rows = [tuple(_word(row[name]) for name in ACCESS) for row in access]
    print_table([(name, "left") for name in ACCESS], rows)


def _listed(profile: Any) -> dict[str, Any]:
    place, problem = _key(profile)
    return {
        "provider": profile.name, "kind": profile.kind, "enabled": profile.enabled, "base_url": profile.base_url,
        "key": place, "key_problem": problem,
    }  # fmt: skip


def _key(profile: Any) -> tuple[str | None, str | None]:
    """Return where the key of a provider is, and what is wrong with it or with there being none."""
    from tickreel.config import find_key

    try:
        key = find_key(profile)
    except NetworkError as error:
        return None, str(error)
    return key.place if key else None, None


def _word(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "all" if not value else f"{len(value):,}"
    return str(value)
