"""Ingest: files, days of a provider and live streams into sealed segments, every row accounted for.

files      files of rows to segments: read, put in order, staged by workers, published
download   days of a provider to files, and into the store while others are on their way
record     live streams to a journal, its days to segments, what is missing filled from history
transport  the only client sockets
replay     a tardis-machine's history, message by message, checked to its end
pages      a relay's history, page after page
gunzip     unpacks gzip as its bytes come, from a file and from a socket
"""
