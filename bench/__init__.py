"""The benchmark: tickreel beside its peers, in one run, on one machine.

    python -m bench                 all sections
    python -m bench --only scan     one of them

    model     what a section is given (Settings) and gives back (Row, Bar)
    sections  one file per question, and the table of them
    peers     one file per peer: the same trades written and read by it
    market    the data: a seeded synthetic market and real files, made once and kept in bench/work
    trades    trades as the integers that all peers are given, and their digests
    child     a function in a process of its own, on one core if wanted
    timing    A B A B
    report    header, tables, JSON

A section times nothing in this process: each starts children. Every comparison is checked: what a
peer decodes must have the digest of what tickreel decodes, or the section fails.
"""
