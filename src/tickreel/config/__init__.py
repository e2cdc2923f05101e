"""Config: what providers cost, as data; nothing here opens a socket.

tables     tables of TOML to frozen structs, every key and value checked, with its place in the error
rates.toml the built-in rate card
rates      a rate card: what each provider charges for what, since when, and who says so
bills      what a use costs with each provider, what the cheapest saves, when moving to it pays
"""
