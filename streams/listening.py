"""The socket that web listens on. Owns what is said when the address cannot be used; accepts nothing."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from streams.settings import SettingsError
from streams.values import Bind


@contextlib.contextmanager
def listening(bind: Bind) -> Iterator[socket.socket]:
    """Bound, not listening yet. Raises SettingsError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"TOCSIN_WEB_BIND={bind}: {error.strerror or error}") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            why = "the port is in use; end what listens there, or choose another" if in_use else error.strerror
            raise SettingsError(f"TOCSIN_WEB_BIND={bind}: {why}") from None
        yield listener
