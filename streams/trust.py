"""Trust in other servers' certificates: the CA bundle of TOCSIN_CA_FILE, for every outgoing TLS connection."""

from __future__ import annotations

import ssl
from pathlib import Path

from streams.settings import SettingsError


def trusted(ca_file: Path | None) -> ssl.SSLContext | None:
    """Trust in the CA bundle of TOCSIN_CA_FILE; None where the usual one serves. Raises SettingsError."""
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"TOCSIN_CA_FILE: {ca_file} cannot be used: {error}") from None
