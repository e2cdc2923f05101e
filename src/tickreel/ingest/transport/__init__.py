"""Transport: the only client sockets. One object with one method asks; tests put a function in its place.

wire        Request, Answer and Broken: what crosses between the client and the sockets
sockets     the one that opens sockets: aiohttp, TLS verified, keys put into headers here and nowhere else
retry       what to do after a status or a failure; pure
limiter     one for all workers of a provider: calls a minute, pauses
waits       what requests wait for, to be told
redirects   where a redirect leads, and what goes along; pure
bodies      bytes of an answer, checked to their end: length, packing, size, speed
refusals    what a refusal says to a person; pure
client      a provider's client: asks, waits, asks again, checks, gives up with the right error
webhook     posts alerts to an address of the user's
session     when a live stream connects, pings, is dropped, waits and gives up; pure
streams     follows a live stream through every loss of its connection
websockets  the one that opens WebSockets
metrics     numbers for Prometheus, on loopback
background  a loop in a thread, so that Ctrl-C is answered at once
"""

from tickreel.ingest.transport.background import Background
from tickreel.ingest.transport.client import Client, open_client
from tickreel.ingest.transport.waits import OnWait, Wait
from tickreel.ingest.transport.wire import Answer, Broken, Request, Send

__all__ = ["Answer", "Background", "Broken", "Client", "OnWait", "Request", "Send", "Wait", "open_client"]
