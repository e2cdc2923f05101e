"""Scan: asks for rows by time, symbol and column, and reads them block by block.

plan    which segments and rows a question needs: streams; opens none that it can name without
read    a stream's blocks, decoded into arrays that may be reused
merge   many streams into one order, in bounded memory
bars    trades to bars of equal time
arrow   blocks to Arrow, Polars and pandas, batch by batch
"""
