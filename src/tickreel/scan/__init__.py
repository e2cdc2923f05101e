"""Scan: asks for rows by time, symbol and column, and reads them block by block.

plan    which segments and rows a question needs: streams, each with a fingerprint
read    a stream's blocks, decoded into arrays that may be reused
bars    trades to bars of equal time
arrow   blocks to Arrow, Polars and pandas, batch by batch
"""
