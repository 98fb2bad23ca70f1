"""Names of hosts."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Say whether a host, with or without a port, is this machine: nobody is on the way there.

    A name that begins like such an address (`127.0.0.1.example.com`) is anybody's.
    """
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name in ("localhost", "[::1]") or host == "::1":
        return True
    parts = name.split(".")
    numbers = all(part.isdecimal() and len(part) < 4 and int(part) < 256 for part in parts)
    return len(parts) == 4 and numbers and parts[0] == "127"
