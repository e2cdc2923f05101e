"""How a strategy is found again: the file as it is now, the class as it is in memory, the same in every worker."""

import linecache
import math
import subprocess
import sys
import threading
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest

import tickreel
from tickreel import Param, StateArray, Strategy
from tickreel.errors import StrategyError
from tickreel.simulate.compile import strategy_key
from tickreel.strategies.load import StrategyRef, find, load, reference
from user_files import importer

HEAD = "from tickreel import Param, StateArray, Strategy\n"
BUYS = HEAD + "K = {}\ndef size():\n    return K\nclass S(Strategy):\n    def on_trade(self, trade, ctx):\n"
BUYS += "        if ctx.idle and ctx.flat:\n            ctx.buy(size())\n"


@pytest.fixture
def user(tmp_path, monkeypatch):
    return importer(tmp_path, monkeypatch)


def first_bought(store, strategy, workers):
    """Return the first quantities that two symbols bought."""
    result = tickreel.backtest(
        strategy,
        store=store.root,
        workers=workers,
        symbols=["LINKUSDT", "ETHUSDT"],
        end="2024-01-01T06:00",
        jit=False,
    )
    result.raise_failed()
    return {float(result.fills(symbol)["quantity"][0]) for symbol in ("LINKUSDT", "ETHUSDT")}


# Files: what is on disk when the run starts


def test_an_edited_file_runs_as_it_is_now(market_store, tmp_path):
    """Both edits keep size and second, which is all that a .pyc looks at."""
    file = tmp_path / "mine.py"
    for quantity in (1.0, 2.0, 3.0):
        file.write_text(BUYS.format(quantity))
        for workers in (1, 2):
            assert first_bought(market_store, f"{file}:S", workers) == {quantity}


def test_what_a_file_imports_is_read_anew_from_its_own_folder(tmp_path):
    text = (
        HEAD
        + "from sizes import size\nclass S(Strategy):\n    def on_trade(self, trade, ctx):\n        ctx.buy(size())\n"
    )
    found = []
    for folder, quantity in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mine.py").write_text(text)
        (tmp_path / folder / "sizes.py").write_text(f"def size():\n    return {quantity}\n")
        strategy = load(find(f"{tmp_path / folder / 'mine.py'}:S"))
        found.append(strategy.on_trade.__globals__["size"]())
    assert found == [1.0, 2.0, 3.0]
    assert "sizes" not in sys.modules
    assert str(tmp_path / "a") not in sys.path


def test_modules_that_were_there_before_are_there_again(user, tmp_path):
    sizes = user(sizes="K = 1.0")
    (tmp_path / "sizes.py").write_text("K = 2.0\n")
    (tmp_path / "mine.py").write_text(BUYS.replace("K = {}", "from sizes import K"))
    assert load(find(f"{tmp_path / 'mine.py'}:S")).on_trade.__globals__["K"] == 2.0
    assert sys.modules["sizes"] is sizes
    assert sizes.K == 1.0


def test_a_file_that_changes_under_a_run_is_noticed(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(BUYS.format(1.0))
    code = strategy_key(load(find(f"{file}:S")))
    assert load(find(f"{file}:S"), code)
    file.write_text(BUYS.format(2.0))
    with pytest.raises(StrategyError, match=r"mine\.py: S is not the code that the run began with"):
        load(find(f"{file}:S"), code)


@pytest.mark.parametrize("call", ["backtest({file!r}, workers=2)", "backtest(S)"])
def test_a_file_that_starts_a_run_of_itself_is_refused(tmp_path, call):
    file = tmp_path / "mine.py"
    file.write_text(BUYS.format(1.0) + "import tickreel\ntickreel." + call.format(file=f"{file}:S") + "\n")
    before = set(sys.modules)
    with pytest.raises(
        StrategyError, match=r'mine\.py:10: the file starts a run .* `if __name__ == "__main__":`'
    ):
        load(find(f"{file}:S"))
    assert not {name for name in set(sys.modules) - before if "mine" in name}
    file.write_text(file.read_text().replace("\ntickreel.", "\nif __name__ == '__main__': tickreel."))
    assert load(find(f"{file}:S"))


# Classes: what is in memory when the run starts


def test_a_class_runs_as_it_is_in_memory(market_store, user):
    module = user(mine=BUYS.removeprefix(HEAD).format(1.0))
    for quantity in (1.0, 2.0):
        module.K = quantity
        for workers in (1, 2):
            assert first_bought(market_store, module.S, workers) == {quantity}


INF = math.inf
DEFAULT = 0.25
LENGTH = 7
TABLE = np.array([[1.0, 2.0], [math.nan, 4.0]])
RATE = np.float64(0.5)
PAIR = (1, (2.5, -math.inf))


class Side(IntEnum):
    BUY = 1
    SELL = 2


def half(x, by=DEFAULT):
    return x * by


also = half
double = lambda x: 2 * x  # noqa: E731


class Base(Strategy):
    ratio = Param(DEFAULT)
    window = StateArray(LENGTH)
    timer = "1m"

    def on_trade(self, trade, ctx):
        """Text over
        two lines."""
        if trade.price < INF and trade.side != Side.SELL and np.isfinite(TABLE[0, 1]):
            ctx.buy(also(RATE) + double(PAIR[0]) + math.sqrt(self.ratio))

    def on_timer(self, ctx):
        self.window[0] = tickreel.units.NS_PER_DAY


class Derived(Base):
    ratio = Param(0.75)
    last: float = 0


def rebuilt(strategy):
    """Return the class as a worker makes it from the bytes that it gets."""
    import msgspec

    return load(msgspec.msgpack.decode(msgspec.msgpack.encode(reference(strategy)), type=StrategyRef))


def test_all_that_a_class_reaches_is_handed_over():
    found = rebuilt(Derived)
    assert strategy_key(found) == strategy_key(Derived)
    space = found.on_trade.__globals__
    assert space is not Derived.on_trade.__globals__
    assert (space["INF"], space["PAIR"], type(space["RATE"])) == (INF, PAIR, np.float64)
    assert space["TABLE"].tobytes() == TABLE.tobytes()
    assert space["also"](4.0) == 1.0
    assert list(space["Side"]) == [1, 2]
    assert found.timer == "1m"


def made(quantity):
    def scaled(x):
        return x * quantity

    class Local(Strategy):
        def on_trade(self, trade, ctx):
            ctx.buy(scaled(quantity))

    return Local


def test_what_a_function_takes_from_around_it_is_handed_over():
    for quantity in (2.0, 3.0):
        found = rebuilt(made(quantity))
        assert strategy_key(found) == strategy_key(made(quantity))
        bought = []
        found.on_trade(None, None, type("Ctx", (), {"buy": staticmethod(bought.append)}))
        assert bought == [quantity * quantity]


def test_the_class_that_is_meant_and_what_was_done_to_it(user):
    module = user(
        mine="""
        def first():
            class S(Strategy):
                k = Param(0.5)
                def on_trade(self, trade, ctx): ctx.buy(0.5)
            return S
        class S(Strategy):
            k = Param(0.7)
            def on_trade(self, trade, ctx): ctx.buy(0.7)
        """
    )
    assert rebuilt(module.first()).on_trade.__code__.co_consts[1:] == (0.5,)
    assert rebuilt(module.S).on_trade.__code__.co_consts[1:] == (0.7,)
    module.S.k = Param(0.1)
    assert rebuilt(module.S).k.default == 0.1
    module.S.on_trade = module.first().on_trade
    assert rebuilt(module.S).on_trade.__code__.co_consts[1:] == (0.5,)


def test_what_is_reached_through_modules_is_handed_over(user):
    rates = "BASE = 0.25\nSPARE = 1.0\ndef fee(x):\n    return x * SPARE\n"
    mine = """
    import rates
    class S(Strategy):
        def on_trade(self, trade, ctx):
            ctx.buy(rates.fee(rates.BASE))
    """
    module = user(rates=rates, mine=mine)
    module.rates.BASE = 2.0
    found = rebuilt(module.S).on_trade.__globals__["rates"]
    assert found is not module.rates
    assert found.fee(found.BASE) == 2.0


def test_a_cell_of_a_notebook_is_found():
    """IPython keeps a cell's text in linecache, under a name that no file has."""
    text = (
        HEAD + "STEP = 0.5\nclass S(Strategy):\n    def on_trade(self, trade, ctx):\n        ctx.buy(STEP)\n"
    )
    cells = []
    for number, cell in enumerate((text, text.replace("0.5", "0.7"))):
        name = f"<ipython-input-{number}-0badcafe>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        space = {"__name__": "__main__"}
        exec(compile(cell, name, "exec"), space)
        cells.append((name, space["S"], reference(space["S"])))
    for name, strategy, ref in cells:
        del linecache.cache[name]  # a worker has none of them
        assert strategy_key(load(ref)) == strategy_key(strategy)
        assert linecache.getline(name, 4) == "    def on_trade(self, trade, ctx):\n"


def test_code_without_text_and_what_cannot_be_text_are_refused(user):
    space = {"__name__": "__main__", "Strategy": Strategy}
    exec("class Typed(Strategy):\n    def on_trade(self, trade, ctx): ctx.buy(1.0)\n", space)
    with pytest.raises(StrategyError, match=r"Typed has no text .* `python -c` .* my\.py:Typed"):
        reference(space["Typed"])
    module = user(mine=BUYS.removeprefix(HEAD).format("np.zeros(100_000)"))
    with pytest.raises(
        StrategyError, match=r"mine\.py:\d+: size uses the global 'K', a ndarray, .* my\.py:S"
    ):
        reference(module.S)
    file = Path(module.__file__)
    file.write_text(file.read_text().replace("size())", "size() + 1)"))
    with pytest.raises(StrategyError, match=r"the file was changed since it was imported"):
        reference(module.S)


def test_super_is_refused():
    class Upon(Base):
        def on_timer(self, ctx):
            super().on_timer(ctx)

    with pytest.raises(StrategyError, match=r"on_timer uses super\(\), which machine code does not know"):
        reference(Upon)


def test_runs_in_threads_do_not_disturb_each_other(market_store):
    found = {}

    def run(threshold):
        result = tickreel.backtest("momentum", store=market_store.root, workers=1, threshold=threshold)
        found[threshold] = (result.metrics, result.failed)

    alone = []
    for number in range(1, 5):
        run(number / 1000)
        alone.append(found.pop(number / 1000))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(number / 1000,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert [found[number / 1000] for number in range(1, 5)] == alone


def test_a_script_without_a_guard_ends(market_store, tmp_path):
    script = tmp_path / "script.py"
    call = f"print(tickreel.backtest({str(script) + ':S'!r}, store={str(market_store.root)!r}, workers=2))\n"
    script.write_text("import tickreel\n" + BUYS.format(1.0) + call)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "put what runs under" in done.stderr.splitlines()[-1]
