"""Fixtures that many tests share: a small made-up market as files and as a store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from canary import files_with_key, pytest_runtest_makereport, watch
from counts import SOAK
from import_sample import fast_folder
from recorder_sample import Recorder
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.record import sealing as record_sealing
from tickreel.ingest.record.seal import seal_day
from tickreel.store.catalog import Store
from tickreel.synth.files import write_day
from tickreel.synth.market import SyntheticMarket

__all__ = ["pytest_runtest_makereport"]

# What is landed is held to the same examples each time; `make soak` draws new ones, from a seed that it prints.
settings.register_profile("same examples", derandomize=True)
if not SOAK:
    settings.load_profile("same examples")

SYMBOLS = ("BTCUSDT", "ETHUSDT", "LINKUSDT")
DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")


@pytest.fixture(scope="session", autouse=True)
def no_key_is_told_or_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold the outputs of every test, and at the end the files that all of them left, for a key."""
    with watch():
        yield
    assert files_with_key(tmp_path_factory.getbasetemp()) == []


@pytest.fixture(scope="session")
def market_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Tardis trade files: three symbols, three days, some 3,000 trades a day."""
    root = tmp_path_factory.mktemp("market")
    market = SyntheticMarket(seed=3, symbols=SYMBOLS, scale=0.3)
    for symbol in SYMBOLS:
        for day in DAYS:
            write_day(market, symbol, day, root)
    return root


@pytest.fixture(scope="session")
def market_store(market_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of `market_files`; not to be written to."""
    store = Store(tmp_path_factory.mktemp("stores") / "tape")
    summary = import_files(store, [str(market_files)], ImportSettings(workers=1))
    assert summary.exit_code == 0
    return store


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder on a fast disk."""
    with fast_folder() as folder:
        yield folder
        assert files_with_key(folder) == []


@pytest.fixture
def recorder(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    """Make recorders of one store, on clocks of the test. A process for each day would take most of the time."""
    monkeypatch.setattr(
        record_sealing, "seal_day", lambda *words, **named: seal_day(*words, **{**named, "isolate": False})
    )
    return lambda now_ns, **settings: Recorder(place, now_ns, **settings)
