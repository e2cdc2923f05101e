"""Sources: bytes of one provider's format in, rows out; pure, without I/O.

tardis_names   what a path of a Tardis dataset says about the file
csv_rows       Tardis' CSV files: bytes to RowBatch, every row accounted for
machine        tardis-machine's normalised messages: one to the lines of CSV text that it is
machine_routes how a tardis-machine is asked, and the lines of its answers
tardis_instruments   Tardis' instruments JSON: bytes to Instrument
csv_text       rows back to Tardis' CSV text
tardis_http    addresses of Tardis' HTTP API, and what its answers say of days
relay          a relay's requests, and its JSON rows to Tardis' CSV text, as its profile says
relay_paging   which requests make a range of time, each row once
"""
