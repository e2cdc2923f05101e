"""What a provider is: every fact about one that the code acts on, so that another is a table and no code."""

import difflib
import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tickreel.config.tables import Origin, wrong
from tickreel.errors import InputError, UsageError
from tickreel.schema import MARKET_TYPES, RECORD_TYPES
from tickreel.units import parse_duration

Kind = Literal["tardis", "machine", "relay"]
RequestTime = Literal["s", "ms", "us", "ns", "iso"]
RowTime = Literal["s", "ms", "us", "ns", "iso", "magnitude"]
Paging = Literal["none", "cursor", "advance"]

_SECRET = re.compile("api[-_]?key|secret|token|password", re.IGNORECASE)
_HOST = r"[^\s/?#@\\]+"
HttpUrl = Annotated[
    str,
    Meta(
        pattern=rf"^https?://{_HOST}(/[^\s?#]*)?\Z",
        description="an http:// or https:// address without user, query and fragment",
    ),
]
OptionalUrl = Annotated[
    str,
    Meta(
        pattern=rf"^(https?://{_HOST}(/[^\s?#]*)?)?\Z",
        description="an http:// or https:// address without user, query and fragment, or nothing",
    ),
]
StreamUrl = Annotated[
    str,
    Meta(
        pattern=rf"^(wss?://{_HOST}(/[^\s?#]*)?)?\Z",
        description="a ws:// or wss:// address without user, query and fragment, or nothing",
    ),
]
UrlPath = Annotated[
    str, Meta(pattern=r"^/[^\s?#]*\Z", description="a path that begins with / and has no query")
]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+\Z", description="the name of a header")]
HeaderText = Annotated[str, Meta(pattern=r"^[\x20-\x7e]*\Z", description="a text of plain letters")]
Seconds = Annotated[float, Meta(gt=0, le=86_400, description="a number of seconds above 0")]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000, description="a whole number of 1 or more")]
MessageBytes = Annotated[
    int, Meta(ge=1, le=1 << 26, description="a whole number from 1 to 67108864 (64 MiB)")
]
CountOrNone = Annotated[
    int, Meta(ge=0, le=1_000_000_000, description="a whole number of 0 (no limit) or more")
]
Parallel = Annotated[int, Meta(ge=1, le=200, description="a whole number from 1 to 200")]


class KeyRule(Struct, frozen=True):
    """How a provider knows its users.

    use     always: nothing is asked without a key; optional: some things are free; never: none is sent
    header, scheme  where the key goes: "Authorization: Bearer KEY"; without a scheme the key alone
    page    where keys are made and renewed
    rule    what a key may read, in a sentence, for the text of a refusal
    placeholders  texts of examples that are no key
    """

    use: Literal["always", "optional", "never"]
    header: HeaderName = "Authorization"
    scheme: HeaderText = "Bearer"
    page: str = ""
    rule: str = ""
    placeholders: tuple[str, ...] = ("YOUR_API_KEY",)


class Limits(Struct, frozen=True):
    """How much may be asked, how long is waited, and how often is tried.

    calls_per_minute  of all workers together; 0: no limit known
    answer_s   until the first byte of an answer; total_s: of an answer that is read into memory
    least_bytes_per_s  an answer of any size that comes slower, over 30 s, is given up and asked for again
    tries      in a row for one answer; between them backoff_first_s, twice that ... at most backoff_most_s
    """

    calls_per_minute: CountOrNone = 0
    parallel: Parallel = 8
    connect_s: Seconds = 15.0
    answer_s: Seconds = 60.0
    total_s: Seconds = 120.0
    least_bytes_per_s: CountOrNone = 1_000
    tries: Count = 8
    backoff_first_s: Seconds = 1.0
    backoff_most_s: Seconds = 60.0


class Stream(Struct, frozen=True):
    """A live stream over a WebSocket.

    url        empty: of a machine, the port after that of base_url; of others, there is none
    subscribe  text sent after connecting; {exchange}, {symbols} and {types} are replaced by JSON; empty: nothing
    format     machine: tardis-machine's normalised messages
    dead_after_s  without a message the connection is taken for dead
    backoff    first_s, then twice as long each time, at most most_s; `tries` in a row
    """

    url: StreamUrl = ""
    subscribe: str = ""
    format: Literal["machine"] = "machine"
    ping_s: Seconds = 20.0
    pong_s: Seconds = 10.0
    dead_after_s: Seconds = 30.0
    backoff_first_s: Seconds = 1.0
    backoff_most_s: Seconds = 60.0
    tries: Count = 100
    max_message_bytes: MessageBytes = 4 << 20


class Exchange(Struct, frozen=True):
    """What a relay calls an exchange: by name in requests; by name or number in rows."""

    name: str
    number: int = 0


class RequestFields(Struct, frozen=True):
    """Names of the fields of a request; an empty one is not sent."""

    symbol: str
    exchange: str
    start: str
    end: str
    limit: str = ""
    cursor: str = ""


class History(Struct, frozen=True):
    """How a relay is asked for rows of one record type, and what it answers.

    wrapper   key of the object that holds the fields, "" for none; a GET sends them as a query
    paging    advance: on from the last row's time; cursor: with the text at `next`; none: a span is one answer
    page_rows most rows of an answer; 0: not known
    span      longest range of one request
    rows, next  dotted paths into the answer; rows "": the answer is the list
    row_time  of timestamp and local_timestamp; magnitude: 10 digits are s, 13 ms, 16 us, 19 ns, others refused
    columns   Tardis' CSV column = the row's field; a column without one is empty, exchange and symbol are those
              asked for unless a row has others
    optional  column that Tardis' type lacks = the row's field
    words     the row's word of side, is_snapshot or type = Tardis' word; others go on as they are, and are counted
    """

    path: UrlPath
    request: RequestFields
    rows: str
    columns: dict[str, str]
    method: Literal["POST", "GET"] = "POST"
    wrapper: str = ""
    request_time: RequestTime = "ms"
    end_is_inclusive: bool = False
    paging: Paging = "advance"
    page_rows: CountOrNone = 0
    next: str = ""
    span: str = "1h"
    row_time: RowTime = "magnitude"
    optional: dict[str, str] = {}
    words: dict[str, str] = {}

    @property
    def span_ns(self) -> int:
        return parse_duration(self.span)


class Profile(Struct, frozen=True):
    """A provider.

    base_url      history over HTTP
    datasets_url  of kind tardis: downloadable CSV files
    headers       sent with every request
    errors        dotted paths to the message within an error's JSON, the first that is there counts
    exchanges, types  of kind relay
    """

    name: str
    kind: Kind
    base_url: HttpUrl
    key: KeyRule
    datasets_url: OptionalUrl = ""
    enabled: bool = True
    headers: dict[str, HeaderText] = {}
    errors: tuple[str, ...] = ("message", "error.message", "error")
    limits: Limits = Limits()
    stream: Stream = Stream()
    exchanges: dict[str, Exchange] = {}
    types: dict[str, History] = {}

    @property
    def variable(self) -> str:
        """The beginning of the names of its environment variables."""
        return variable_of(self.name)

    def history(self, type: str) -> History:
        """Return how a type is asked for; UsageError with those that there are."""
        if type not in self.types:
            have = ", ".join(self.types) or "none"
            raise UsageError(
                f"{self.name} has no {type}: its profile says how to ask for {have};"
                f" add a table [{self.name}.types.{type}] to your providers.toml"
            )
        return self.types[type]

    def exchange(self, name: str) -> Exchange:
        """Return what the provider calls an exchange; UsageError with those that it has."""
        if name not in self.exchanges:
            have = ", ".join(self.exchanges) or "none"
            raise UsageError(
                f"{self.name} has no exchange {name}: its profile names {have};"
                f" add it to the table [{self.name}.exchanges] of your providers.toml"
            )
        return self.exchanges[name]


def check(profile: Profile, origin: Origin) -> None:
    """Raise InputError for what each value alone does not show: names of types and columns, what needs what."""
    top = (profile.name,)
    if profile.kind == "tardis" and not profile.datasets_url:
        raise wrong((*top, "datasets_url"), "", "the address of the CSV files", origin)
    if profile.kind == "relay" and not profile.exchanges:
        raise wrong((*top, "exchanges"), {}, "a line for each exchange", origin)
    for header in profile.headers:
        taken = header.lower() in (profile.key.header.lower(), "authorization", "host", "content-length")
        if taken or _SECRET.search(header) or not header.isascii():
            # Its value is not repeated: it may be a key.
            path = (*top, "headers", header)
            raise InputError(
                f"{origin(path)}: [{profile.name}.headers] {header}: no such header belongs there; a key is set as"
                f" {profile.variable}_API_KEY"
            )
    for type, history in profile.types.items():
        _check_history(type, history, (*top, "types", type), origin)


def check_names(document: dict[str, Any], name: str, origin: Origin) -> None:
    """Raise InputError for a key written into a file, whose value is not repeated, and for a type that is none."""
    for field in document:
        if _SECRET.search(field) and not isinstance(document[field], dict):
            raise InputError(
                f"{origin((name, field))}: [{name}] {field}: a key is not written there; set it as"
                f" {variable_of(name)}_API_KEY, or put it into the keyring"
            )
    types = document.get("types")
    for type in types if isinstance(types, dict) else ():
        if type not in MARKET_TYPES:
            near = difflib.get_close_matches(type, MARKET_TYPES, 1)
            known = f"did you mean {near[0]}?" if near else f"record types are {', '.join(MARKET_TYPES)}"
            raise InputError(
                f"{origin((name, 'types', type))}: [{name}.types.{type}]: no such record type; {known}"
            )


def variable_of(name: str) -> str:
    """Return how the variables of a provider begin."""
    return name.upper().replace("-", "_")


def _check_history(type: str, history: History, path: tuple[str, ...], origin: Origin) -> None:
    header = RECORD_TYPES[type].csv_header
    for column in history.columns:
        if column not in header:
            allowed = f"only columns of {type} ({', '.join(header)})"
            raise wrong((*path, "columns", column), history.columns[column], allowed, origin)
    if not history.columns.get("timestamp"):
        raise wrong((*path, "columns", "timestamp"), "", "the field with the exchange's time", origin)
    extra = [column.csv for column in RECORD_TYPES[type].optional]
    for column in history.optional:
        if column not in extra:
            allowed = f"only columns that {type} may have besides ({', '.join(map(str, extra)) or 'none'})"
            raise wrong((*path, "optional", column), history.optional[column], allowed, origin)
    for name in ("cursor",) if history.paging == "cursor" else ():
        if not getattr(history.request, name):
            raise wrong(
                (*path, "request", name), "", "the field of the cursor, since paging = 'cursor',", origin
            )
    if history.paging == "cursor" and not history.next:
        raise wrong(
            (*path, "next"), history.next, "where the next cursor is, since paging = 'cursor',", origin
        )
    try:
        too_short = history.span_ns < 1_000_000_000
    except UsageError:
        too_short = True
    if too_short:
        raise wrong((*path, "span"), history.span, "a duration of 1s or more", origin)
