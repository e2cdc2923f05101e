"""Config: providers and what they cost, as data, and where keys are; nothing here opens a socket.

providers.toml   the built-in profiles, and by their comments what is known of each
tables    tables of TOML to frozen structs, every key and value checked, with its place in the error
profile   what a provider is: addresses, key, limits, stream, the shape of a relay's requests and rows
load      built-in profiles, the user's file and the environment to one Profile, with each value's origin
keys      a key that does not print, and where it is looked for
show      a profile as TOML, each line with its origin
rates.toml   the built-in rate card
rates     a rate card: what each provider charges for what, since when, and who says so
bills     what a use costs with each provider, what the cheapest saves, when moving to it pays
"""

from tickreel.config.keys import Key, find_key
from tickreel.config.load import Loaded, load_profile, provider_names
from tickreel.config.profile import Profile

__all__ = ["Key", "Loaded", "Profile", "find_key", "load_profile", "provider_names"]
