"""A certificate that nobody trusts who was not told to."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from tests.peers.found import openssl_binary


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself; and its key."""
    own, key = tmp_path / "own.pem", tmp_path / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = [openssl_binary(), *options.split(), "-keyout", str(key), "-out", str(own)]
    subprocess.run(command, check=True, capture_output=True)
    return own, key


@pytest.fixture
def offered(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server with that certificate offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
