"""The child side: what runs inside a plugin's environment. Started by path, never imported by the host (but for `wire`).

`_start` is the reference of the protocol.
"""
