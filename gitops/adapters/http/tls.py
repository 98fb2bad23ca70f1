"""Which certificates are trusted, the same for every library that talks HTTPS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")


def ca_file(environ: Mapping[str, str]) -> str | None:
    """Return the bundle of authorities to trust; None leaves it to the library.

    The caller's variables first, then what this system trusts (as Git does), since the libraries
    bring a list of their own that knows no company's authority.
    """
    import ssl  # 15 ms, and only who talks HTTPS needs it

    for name in VARIABLES:
        path = environ.get(name, "").strip()
        if path and Path(path).is_file():
            return path
    system = ssl.get_default_verify_paths().cafile
    return system if system and Path(system).is_file() else None
