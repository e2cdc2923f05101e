"""`python -m provider_server LATENCY_S FOLDER...`: serves until its input ends; prints its address."""

import sys
from pathlib import Path

from provider_server import ProviderServer

with ProviderServer([Path(folder) for folder in sys.argv[2:]], latency_s=float(sys.argv[1])) as server:
    server.now = server.now.replace(year=2100)
    print(server.url, flush=True)
    sys.stdin.read()
