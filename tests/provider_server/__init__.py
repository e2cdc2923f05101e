"""A server on loopback that speaks the providers' protocols, with a clock of its own, and misbehaves on request.

    server      starts and stops it in a thread; what is asked, answered and refused is written down
    faults      misbehaviour: the next requests to a path get it instead of, or around, the good answer
    datasets    CSV files of days: those of some folders, else an empty gzip
    api         exchanges, instruments, api-key-info
    feeds       data-feeds, minute by minute
    relay       POST /tardis/trades
    machine     tardis-machine: HTTP and WebSocket routes
    replay      whole days of its history, from the CSV files

A part is a module with `routes(server)`; `server.PARTS` lists them.
"""

from provider_server.server import KEY, ProviderServer, Seen

__all__ = ["KEY", "ProviderServer", "Seen"]
