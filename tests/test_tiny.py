"""The whole path in about two seconds: files in, a store, a backtest, a report. Read this first."""

import gzip
from pathlib import Path

import tickreel
from tickreel import Param, Strategy
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.store.catalog import Store

HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
START_US = 1_704_067_200_000_000  # 2024-01-01

PRICES = (100, 100.2, 100.2, 100.4, 100.1, 100.1, 99.5)


class BuyRises(Strategy):
    """The momentum strategy, as a user writes it."""

    threshold = Param(0.001)
    last: float = 0.0

    def on_trade(self, trade, ctx):
        if self.last and ctx.idle:
            if ctx.flat and trade.price > self.last * (1 + self.threshold):
                ctx.buy(0.95 * ctx.equity / trade.price)
            elif ctx.long and trade.price < self.last * (1 - self.threshold):
                ctx.close()
        self.last = trade.price


def test_from_a_file_to_a_report(tmp_path: Path) -> None:
    file = tmp_path / "binance" / "trades" / "2024" / "01" / "01" / "BTCUSDT.csv.gz"
    file.parent.mkdir(parents=True)
    rows = [
        f"binance,BTCUSDT,{START_US + second * 1_000_000},{START_US + second * 1_000_000 + 5_000},"
        f"{second + 1},buy,{price},0.5\n"
        for second, price in enumerate(PRICES)
    ]
    file.write_bytes(gzip.compress((HEADER + "".join(rows)).encode()))

    summary = import_files(Store(tmp_path / "tape"), [str(tmp_path)], ImportSettings(workers=1))
    assert [(report.state, report.result.rows) for report in summary.files] == [("imported", 7)]

    tape = tickreel.open_store(tmp_path / "tape")
    (block,) = tape.scan("BTCUSDT")
    assert block["price"].tolist() == list(PRICES)
    assert block["id"][0] == b"1"

    result = tickreel.backtest(BuyRises, store=tmp_path / "tape", out=tmp_path / "run", workers=1, fee=0.0004)
    fills = result.fills("BTCUSDT")
    # 100.2 is a rise: bought at the next trade, also 100.2. 100.1 is a fall: sold at the next, 100.1.
    assert fills["price"].tolist() == [100.2, 100.1]
    quantity = 0.95 * 100_000 / 100.2
    assert fills["quantity"].tolist() == [quantity, quantity]
    spent = quantity * 100.2 * 1.0004 - quantity * 100.1 * 0.9996
    assert abs(result.metrics.final_equity - (100_000 - spent)) < 1e-6
    assert (tmp_path / "run" / "report.html").read_text("utf-8").startswith("<!doctype html>")
