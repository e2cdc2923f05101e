"""Profiles of providers from three layers, what is refused in them, and keys that do not print."""

import copy
import pickle
import sys
import tomllib
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest

from tickreel.config import Key, find_key, load_profile, provider_names
from tickreel.config import profile as shapes
from tickreel.config.keys import looked_for
from tickreel.config.show import as_toml, values
from tickreel.errors import InputError, NetworkError, TickreelError, UsageError

ROOT = Path(__file__).resolve().parent.parent
CANARY = "canary-7f3a9c"


@pytest.fixture
def user(tmp_path: Path):
    """Return a function from the text of a user's file to an environment that names it."""

    def environment(text: str = "", **more: str) -> dict[str, str]:
        path = tmp_path / "providers.toml"
        path.write_text(text)
        return {"TICKREEL_CONFIG": str(path), **more}

    return environment


def refused(environment: dict[str, str], name: str = "holysheep") -> str:
    with pytest.raises(TickreelError) as caught:
        load_profile(name, environment=environment)
    return str(caught.value)


# Layers


def test_the_built_in_profiles_are_what_the_guide_says() -> None:
    environment = {"XDG_CONFIG_HOME": "/nowhere"}
    assert provider_names(environment=environment) == ["tardis", "tardis-machine", "holysheep"]
    relay = load_profile("holysheep", environment=environment).profile
    trades = relay.history("trades")
    assert (relay.base_url + trades.path, trades.method) == (
        "https://api.holysheep.ai/v1/tardis/trades",
        "POST",
    )
    assert (trades.wrapper, trades.request.start, trades.end_is_inclusive) == ("query", "start_ms", True)
    assert {e.name: e.number for e in relay.exchanges.values()} == {
        "binance": 1, "bybit": 2, "okx": 3, "deribit": 4,
    }  # fmt: skip
    assert (relay.limits.calls_per_minute, relay.limits.answer_s, relay.key.use) == (100, 30, "always")
    assert (relay.stream.dead_after_s, relay.stream.backoff_most_s, relay.stream.tries) == (30, 60, 100)


def test_the_users_file_overrides_field_by_field_and_defines_others(user) -> None:
    environment = user(
        """
        [holysheep.limits]
        calls_per_minute = 7
        [holysheep.types.trades.columns]
        local_timestamp = "received"
        [other]
        like = "holysheep"
        base_url = "https://other.example/x"
        [third]
        like = "other"
        enabled = false
        """
    )
    assert provider_names(environment=environment)[3:] == ["other", "third"]
    loaded = load_profile("holysheep", environment=environment)
    assert (loaded.profile.limits.calls_per_minute, loaded.profile.limits.answer_s) == (7, 30)
    assert loaded.profile.types["trades"].columns["price"] == "price"
    assert loaded.origins["holysheep", "limits", "calls_per_minute"] == environment["TICKREEL_CONFIG"]
    assert loaded.origins["holysheep", "limits", "answer_s"] == "built in"
    other = load_profile("other", environment=environment).profile
    assert (other.name, other.base_url, other.limits.calls_per_minute) == (
        "other",
        "https://other.example/x",
        7,
    )
    assert load_profile("third", environment=environment, use=False).profile.base_url == other.base_url
    with pytest.raises(UsageError, match=r"third is switched off by .*providers\.toml"):
        load_profile("third", environment=environment)


def test_the_file_of_a_user_lies_in_the_folder_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "tickreel" / "providers.toml"
    file.parent.mkdir()
    file.write_text('[mine]\nlike = "tardis"\n')
    assert "mine" in provider_names(environment={"XDG_CONFIG_HOME": str(tmp_path)})
    with pytest.raises(UsageError, match=r"TICKREEL_CONFIG=.*no such file"):
        provider_names(environment={"TICKREEL_CONFIG": str(tmp_path / "no.toml")})


def test_the_environment_wins(user) -> None:
    environment = user(
        '[tardis]\nbase_url = "https://a.example"\n', TARDIS_BASE_URL="http://127.0.0.1:8000/v1/"
    )
    loaded = load_profile("tardis", environment=environment)
    assert loaded.profile.base_url == loaded.profile.datasets_url == "http://127.0.0.1:8000/v1/"
    assert loaded.origins["tardis", "datasets_url"] == "environment TARDIS_BASE_URL"
    both = load_profile("tardis", environment={**environment, "TARDIS_DATASETS_URL": "https://files.example"})
    assert both.profile.datasets_url == "https://files.example"
    machine = load_profile("tardis-machine", environment=user(TARDIS_MACHINE_BASE_URL="http://box:9"))
    assert machine.profile.base_url == "http://box:9"
    assert machine.profile.datasets_url == ""


@pytest.mark.parametrize("word", ["false", "0", "no", "OFF"])
def test_a_provider_that_is_switched_off_is_refused_by_its_variable(word: str, user) -> None:
    with pytest.raises(UsageError, match=f"HOLYSHEEP_ENABLED={word}; unset it"):
        load_profile("holysheep", environment=user(HOLYSHEEP_ENABLED=word))
    assert load_profile("holysheep", environment=user(HOLYSHEEP_ENABLED="true")).profile.enabled
    with pytest.raises(UsageError, match=r"HOLYSHEEP_ENABLED='perhaps': one of true, 1"):
        load_profile("holysheep", environment=user(HOLYSHEEP_ENABLED="perhaps"))


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[holysheep]\nbase = 'x'", "[holysheep] 'base' is no key; did you mean base_url?"),
        ("[holysheep.zzz]\na = 1", "[holysheep] 'zzz' is no key; known are kind, base_url"),
        ("[holysheep]\nkind = 'rest'", "[holysheep] kind = 'rest': 'tardis', 'machine' or 'relay' belongs there"),
        ("[holysheep]\nbase_url = 'ftp://x'", "base_url = 'ftp://x': an http:// or https:// address without user"),
        ("[holysheep]\nbase_url = 'https://u:p@x'", "base_url = 'https://u:p@x': an http:// or https:// address"),
        ("[holysheep]\nbase_url = 'https://x/?k=1'", "base_url = 'https://x/?k=1': an http:// or https:// address"),
        ("[holysheep]\nlimits = 3", "[holysheep] limits = 3: a table belongs there"),
        ("[holysheep.limits]\nparallel = 0", "[holysheep.limits] parallel = 0: a whole number from 1 to 200"),
        ("[holysheep.limits]\nanswer_s = '3'", "[holysheep.limits] answer_s = '3': a number of seconds above 0"),
        ("[holysheep.limits]\nanswer_s = inf", "[holysheep.limits] answer_s = inf: a number of seconds above 0"),
        ("[holysheep.limits]\ntries = true", "[holysheep.limits] tries = true: a whole number of 1 or more"),
        ("[holysheep]\nenabled = 'no'", "[holysheep] enabled = 'no': true or false belongs there"),
        ("[holysheep]\nerrors = 'message'", "[holysheep] errors = 'message': a list of texts belongs there"),
        ("[holysheep.headers]\nAuthorization = 'x'", "[holysheep.headers] Authorization: no such header"),
        ("[holysheep.headers]\nX-Api-Key = 'x'", "[holysheep.headers] X-Api-Key: no such header"),
        ('[holysheep.headers]\nX = "a\\n"', "[holysheep.headers] X = 'a\\n': a text of plain letters"),
        ("[holysheep]\nname = 'x'", "[holysheep] 'name' is no key"),
        ("[holysheep.types.trade]\npath = '/x'", "[holysheep.types.trade]: no such record type; did you mean trades?"),
        ("[holysheep.types.trades]\npath = 'x'", "path = 'x': a path that begins with / and has no query"),
        ("[holysheep.types.trades]\nspan = '1 hour'", "span = '1 hour': a duration of 1s or more"),
        ("[holysheep.types.trades]\nspan = '1ms'", "span = '1ms': a duration of 1s or more"),
        ("[holysheep.types.trades]\nrow_time = 'min'", "row_time = 'min': 's', 'ms', 'us', 'ns', 'iso' or 'magnitude'"),
        ("[holysheep.types.trades]\npaging = 'cursor'", "[holysheep.types.trades.request] cursor = '': the field of"),
        ("[holysheep.types.trades.columns]\nqty = 'q'", "qty = 'q': only columns of trades (exchange, symbol, timestamp,"),
        ("[holysheep.types.trades.columns]\ntimestamp = ''", "timestamp = '': the field with the exchange's time"),
        ("[holysheep.types.trades.optional]\nprice = 'p'", "price = 'p': only columns that trades may have besides (fee)"),
        ("[holysheep.types.trades.request]\nto = 'x'", "[holysheep.types.trades.request] 'to' is no key"),
        ("[holysheep.exchanges]\nokex = 'okx'", "[holysheep.exchanges] okex = 'okx': a table belongs there"),
        ("[holysheep]\nlike = 'tardis'", "like = 'tardis': holysheep is built in; leave it out"),
        ("[a]\nlike = 'b'", "[a] like = 'b': one of tardis, tardis-machine, holysheep belongs there"),
        ("[a]\nlike = 'b'\n[b]\nlike = 'a'", "[a] like leads back to itself: a -> b -> a"),
        ("[a]\nkind = 'relay'", "[a] base_url is missing; an http:// or https:// address"),
        ("[a.key]\nuse='never'\n[a]\nkind='tardis'\nbase_url='http://x'", "datasets_url = '': the address of the CSV"),
        ("[A_B]\nlike = 'tardis'", "[A_B]: a provider's name has up to 64 of a-z 0-9 -"),
        ("a = 1", "a = 1: a table [a] belongs there"),
        ("[a", "providers.toml: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place_and_what_belongs_there(text: str, message: str, user) -> None:
    environment = user(text)
    said = refused(environment, "a" if text.startswith("[a") else "holysheep")
    assert message in said
    assert said.startswith(environment["TICKREEL_CONFIG"])


def test_what_is_wrong_in_a_variable_is_named_with_it(user) -> None:
    said = refused(user(HOLYSHEEP_BASE_URL="example.com"))
    assert said.startswith("environment HOLYSHEEP_BASE_URL: [holysheep] base_url = 'example.com'")


def test_an_unknown_provider_or_type_or_exchange_is_named_with_those_that_are(user) -> None:
    assert "--provider kaiko: known are tardis, tardis-machine, holysheep" in refused(user(), "kaiko")
    relay = load_profile("holysheep", environment=user()).profile
    with pytest.raises(
        UsageError, match=r"its profile says how to ask for trades; add a table \[holysheep\.types\.q"
    ):
        relay.history("quotes")
    with pytest.raises(
        UsageError, match="its profile names binance, bybit, okex, deribit; add it to the table"
    ):
        relay.exchange("ftx")


# What is shown, and documented


@pytest.mark.parametrize("name", ["tardis", "tardis-machine", "holysheep"])
def test_a_profile_shown_is_a_file_that_gives_the_same_profile(name: str, user) -> None:
    loaded = load_profile(name, environment=user())
    again = as_toml(loaded).replace(f"[{name}", "[again")
    told = load_profile("again", environment=user(again)).profile
    assert msgspec.structs.replace(told, name=name) == loaded.profile
    assert values(loaded)["kind"] == {"value": loaded.profile.kind, "origin": "built in"}


def test_the_page_of_providers_has_every_field_and_its_example_loads(user) -> None:
    page = (ROOT / "docs" / "PROVIDERS.md").read_text()
    fields = page.split("## Fields\n")[1]
    for shape in (
        shapes.Profile, shapes.KeyRule, shapes.Limits, shapes.Stream, shapes.Exchange, shapes.RequestFields, shapes.History,
    ):  # fmt: skip
        for field in msgspec.structs.fields(shape):
            assert f"`{field.name}" in fields, field.name
    example = page.split("```toml\n")[1].split("```")[0]
    for name in tomllib.loads(example):
        load_profile(name, environment=user(example))
    for name in provider_names(environment=user()):
        assert f"| `{name}` |" in page


@pytest.mark.parametrize("like", ["holysheep", "tardis-machine"])
def test_the_addresses_of_another_host_do_not_come_along(user, like: str) -> None:
    """Else the key of one would go to the other's stream."""
    text = f"""
[{like}.stream]
url = "wss://their.example/v1"
[mine]
like = "{like}"
base_url = "https://mine.example/v1"
[same]
like = "{like}"
"""
    environment = user(text)
    mine = load_profile("mine", environment=environment)
    assert (mine.profile.stream.url, mine.profile.key.page) == ("", "")
    assert ("mine", "stream", "url") not in mine.origins
    assert load_profile("same", environment=environment).profile.stream.url == "wss://their.example/v1"
    written = text + '[mine.stream]\nurl = "wss://mine.example/live"\n'
    assert load_profile("mine", environment=user(written)).profile.stream.url == "wss://mine.example/live"


def test_a_base_url_of_the_environment_leaves_the_built_in_stream_behind(user) -> None:
    moved = {"HOLYSHEEP_BASE_URL": "https://mirror.example/v1"}
    assert load_profile("holysheep", environment=user() | moved).profile.stream.url == ""
    same = {"HOLYSHEEP_BASE_URL": "https://api.holysheep.ai/v2"}
    assert load_profile("holysheep", environment=user() | same).profile.stream.url.startswith("wss://")
    own = user('[holysheep.stream]\nurl = "ws://127.0.0.1:1/x"\n')
    assert load_profile("holysheep", environment=own | moved).profile.stream.url == "ws://127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[x]\nlike = "tardis"\napi_key = "s3cret"', r"\[x\] api_key: a key is not written there; set it as X_API_KEY"),
        ('[x]\nlike = "tardis"\n[x.headers]\nAuthorization = "Bearer s3cret"', r"\[x.headers\] Authorization: no such header.* X_API_KEY"),
        ('[x]\nlike = "holysheep"\n[x.types.trade]\npath = "/"', r"\[x.types.trade\]: no such record type; did you mean trades\?"),
        ('[x]\nlike = "holysheep"\n[x.types.zzz]\npath = "/"', r"\[x.types.zzz\]: no such record type; record types are trades, "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_without_the_key(user, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        load_profile("x", environment=user(text))
    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "providers.toml"
    path.write_bytes(b"[tardis]\n# caf\xe9\n")
    with pytest.raises(InputError, match="line 2 is not UTF-8; save the file as UTF-8"):
        load_profile("tardis", environment={"TICKREEL_CONFIG": str(path)})
    with pytest.raises(UsageError, match="is a folder; TICKREEL_CONFIG names a TOML file"):
        load_profile("tardis", environment={"TICKREEL_CONFIG": str(tmp_path)})


# Keys


def test_a_key_is_looked_for_in_three_places_and_prints_its_place(user) -> None:
    profile = load_profile("tardis", environment=user()).profile
    asked = {"TARDIS_API_KEY": CANARY}
    for key, place in (
        (find_key(profile, CANARY, environment=asked), "argument api_key"),
        (find_key(profile, environment=asked), "environment TARDIS_API_KEY"),
        (
            find_key(profile, environment={}, ask_keyring={"tardis": CANARY}.get),
            "keyring, service tickreel, user tardis",
        ),
    ):
        assert key is not None
        assert (key.reveal(), key.place) == (CANARY, place)
        shown = [repr(key), str(key), f"{key}", f"{key!r:>60}", f"a {key}", repr({"a": key})]
        assert all(CANARY not in text and place in text for text in shown)
        assert key.hide_in(f"no such key: {CANARY}!") == "no such key: [key]!"
        with pytest.raises(TypeError, match="not stored"):
            pickle.dumps(key)
        with pytest.raises(TypeError, match="not stored"):
            copy.deepcopy(key)
    assert find_key(profile, environment={"TARDIS_API_KEY": "  "}, ask_keyring=lambda user: None) is None


def test_the_keyring_is_asked_and_may_be_missing(user, monkeypatch) -> None:
    import keyring
    from keyring import errors

    profile = load_profile("tardis", environment=user()).profile
    monkeypatch.setattr(keyring, "get_password", lambda service, name: f"{CANARY}-{service}-{name}")
    key = find_key(profile, environment={})
    assert key is not None
    assert key.reveal() == f"{CANARY}-tickreel-tardis"

    for error, told in (
        (errors.NoKeyringError, "is none that this machine has"),
        (errors.KeyringLocked, "is locked"),
        (RuntimeError("no backend\nof that name"), "failed: RuntimeError: no backend of that name"),
    ):
        monkeypatch.setattr(keyring, "get_password", Mock(side_effect=error))
        assert find_key(profile, environment={}) is None
        assert looked_for(profile) == (
            "there is none in the environment (TARDIS_API_KEY), and the keyring (service tickreel, user tardis) "
            + told
        )
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find_key(profile, environment={}) is None
    assert looked_for(profile).endswith("cannot be asked: install tickreel's extra keys for it")


@pytest.mark.parametrize(
    "text", ["", " ", "YOUR_HOLYSHEEP_API_KEY", f"{CANARY} x", f"{CANARY}\nX: y", f"{CANARY}é"]
)
def test_what_is_no_key_is_refused_before_any_request(text: str, user) -> None:
    profile = load_profile("holysheep", environment=user()).profile
    with pytest.raises(NetworkError) as caught:
        find_key(profile, environment={"HOLYSHEEP_API_KEY": text}, ask_keyring=lambda user: None)
    assert "https://www.holysheep.ai/register" in str(caught.value)
    assert "HOLYSHEEP_API_KEY" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_provider_that_takes_no_key_gets_none(user) -> None:
    machine = load_profile("tardis-machine", environment=user()).profile
    assert find_key(machine, CANARY, environment={}) is None
    assert Key(CANARY, "x").place == "x"


def test_input_errors_of_profiles_are_input_errors(user) -> None:
    with pytest.raises(InputError):
        load_profile("holysheep", environment=user("[holysheep]\nbase = 1"))
