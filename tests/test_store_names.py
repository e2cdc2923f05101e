"""Symbols as folder names: one to one, apart on a case-blind disk, below the root or refused."""

import os
import re
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import store_sample as sample
from tickreel.errors import InputError, UsageError
from tickreel.schema import GROUPS
from tickreel.store import names
from tickreel.store.catalog import SegmentKey, Store

KEY = SegmentKey("tardis", "trades", "binance", "BTCUSDT", sample.DAY)
CODERS = [(names.encode_symbol, names.decode_symbol), (names.encode_exchange, names.decode_exchange)]
HOSTILE = (
    *("../../etc/passwd", "..", ".", "...", "/", "\\", "a/b", "C:\\x", "a\\..\\b", "-rf", "--help", "~"),
    *("CON", "con", "Con", "NUL.txt", "com1", "LPT9", "aux.", "CON.", "COM0", "CONIN$", "prn", "$HOME"),
    *("%2e%2e", "%2E%2E", "%", "%%", "%41", "%00", "A.", "a ", " a", "a.", ".hidden", "*", "?", "a:b", '"'),
    *("ＢＴＣ", "BTC\u202eTDSU", "\u200b", "ﬁ", "İ", "ß", "K", "é", "e\u0301", "🚀", "\u0085", "\ufeff"),
    *("BTC/USDT:USDT", "BTC-27DEC24-100000-C", "tBTCUSD", "btcusdt", "BTCUSDT", "BtcUsdt", "<|>", "options"),
    *GROUPS,
)
REFUSED = ("", "\0", "A\0B", "A\nB", "\x1b[31m", "\x7f", "X" * 300, "x" * 67, "é" * 40, "\ud800")

NOT_NAMES = (
    *("%FF", "%C3", "%C3%28", "%C0%AF", "%ED%A0%80", "%F5%80%80%80", "%e9", "%2f", "%", "%4", "%30", "%00"),
    *("%0A", "é", "\udcff", "", ".", "..", ".A", "-A", "A.", "CON", "aux", "A/B", "A B", "x" * 300),
)
NAMES = (
    st.text(min_size=1, max_size=20)
    | st.sampled_from(HOSTILE)
    | st.text("aAbB%2eE.-_ /", min_size=1, max_size=8)
)


def encoded(encode: Callable[[str], str], text: str) -> str | None:
    try:
        return encode(text)
    except InputError:
        return None


@pytest.mark.parametrize(("encode", "decode"), CODERS)
@given(text=NAMES)
def test_a_name_comes_back_or_is_refused(
    encode: Callable[[str], str], decode: Callable[[str], str], text: str
) -> None:
    name = encoded(encode, text)
    if name is None:
        assert len(text.encode("utf-8", "replace")) > 66 or any(ord(c) < 32 or 127 <= ord(c) for c in text)
        return
    assert decode(name) == text
    assert re.fullmatch(r"[A-Za-z0-9_%][A-Za-z0-9._%-]*", name)
    assert not name.endswith(".")
    assert name.split(".")[0].upper() not in names._DEVICES
    assert name not in GROUPS or encode is names.encode_exchange
    assert len(name) <= names.MAX_NAME_BYTES


@pytest.mark.parametrize(("encode", "_"), CODERS)
@given(a=NAMES, b=NAMES)
def test_two_names_never_meet_on_a_case_blind_disk(
    encode: Callable[[str], str], _: object, a: str, b: str
) -> None:
    one, other = encoded(encode, a), encoded(encode, b)
    if a != b and one and other:
        assert one.casefold() != other.casefold()


@pytest.mark.parametrize(("encode", "decode"), CODERS)
def test_hostile_names_are_encoded_each_to_its_own(
    encode: Callable[[str], str], decode: Callable[[str], str]
) -> None:
    found = {text: encode(text) for text in HOSTILE}
    assert {decode(name) for name in found.values()} == set(HOSTILE)
    for (a, one), (b, other) in combinations(found.items(), 2):
        assert a == b or one.casefold() != other.casefold(), (a, b)


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize(("encode", "_"), CODERS)
def test_what_cannot_be_a_name_is_refused(encode: Callable[[str], str], _: object, text: str) -> None:
    if text == "x" * 67 and encode is names.encode_exchange:
        assert encode(text) == text
        return
    with pytest.raises(InputError, match=r"symbol|exchange"):
        encode(text)


def test_names_as_people_write_them_stay_readable() -> None:
    assert names.encode_symbol("BTC-27DEC24-100000-C") == "BTC-27DEC24-100000-C"
    assert names.encode_symbol("btcusdt") == "%62%74%63%75%73%64%74"
    assert names.encode_symbol("../../etc") == "%2E.%2F..%2F%65%74%63"
    assert names.encode_symbol("CON") == "%43ON"
    assert names.encode_symbol("OPTIONS") == "%4FPTIONS"
    assert names.encode_exchange("binance-futures") == "binance-futures"


@pytest.mark.parametrize(("encode", "decode"), CODERS)
@given(name=st.text("%0123456789ABCDEFabcdef./-_xXé", max_size=12))
def test_a_folder_name_is_decoded_only_if_it_was_encoded_so(
    encode: Callable[[str], str], decode: Callable[[str], str], name: str
) -> None:
    try:
        text = decode(name)
    except ValueError:
        assert encoded(encode, name) != name
    else:
        assert encode(text) == name


@pytest.mark.parametrize("name", NOT_NAMES)
def test_what_no_name_encodes_to_is_not_decoded(name: str) -> None:
    for _, decode in CODERS:
        with pytest.raises(ValueError):
            decode(name)


@given(
    text=NAMES,
    day=st.sampled_from(["2024-01-01", "..", "../../x", "a/b", ""]),
    feed=NAMES,
    grouped=st.booleans(),
)
def test_a_key_leads_below_the_root_or_nowhere(text: str, day: str, feed: str, grouped: bool) -> None:
    store = Store("/nowhere/tape")
    for key in (
        SegmentKey("tardis", "trades", text, text, day, grouped),
        SegmentKey(feed, "trades", "binance", "BTCUSDT", sample.DAY),
        SegmentKey("tardis", text, "binance", text, sample.DAY, grouped),
    ):
        try:
            path = store.path(key)
        except (UsageError, InputError):
            continue
        assert os.path.normpath(path) == str(path)
        assert len(path.relative_to(store.root).parts) == 5


@pytest.mark.parametrize(
    "feed", ["", ".", "..", "a/b", "A", "primary", "rejects", "con", ".lock", "x" * 65, "é", "a\n"]
)
def test_what_cannot_be_a_feed_is_refused(feed: str) -> None:
    with pytest.raises(UsageError, match="feed"):
        names.check_feed(feed)
    with pytest.raises(UsageError, match="feed"):
        list(Store("/nowhere").find(feed=feed))
