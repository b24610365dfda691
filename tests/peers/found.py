"""Finds what pip cannot bring. A missing peer skips its tests with the one command that brings it, or fails them where
TOCSIN_TEST_REQUIRE names it, so that CI never passes by leaving something out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
JAVA_NEEDED = 17


def required() -> frozenset[str]:
    """What TOCSIN_TEST_REQUIRE (a comma-separated list) says must be there."""
    return frozenset(filter(None, (name.strip() for name in os.environ.get("TOCSIN_TEST_REQUIRE", "").split(","))))


def missing(peer: str, enable: str) -> NoReturn:
    """Skips, or fails where it is required; `enable` is the command that brings the peer."""
    reason = f"{peer} was not found; to enable: {enable}"
    if peer in required():
        pytest.fail(f"{reason} (TOCSIN_TEST_REQUIRE names it)", pytrace=False)
    pytest.skip(reason)


def alertmanager_binary() -> str:
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        missing("alertmanager", "apt-get install prometheus-alertmanager")
    return binary


def chromium_binary() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    binary = next(filter(None, map(shutil.which, names)), None)
    if binary is None:
        missing("browser", "apt-get install chromium")
    return binary


def openssl_binary() -> str:
    binary = shutil.which("openssl")
    if binary is None:
        missing("openssl", "apt-get install openssl")
    return binary


def kafka_jars() -> Path:
    jars = Path(os.environ.get("TOCSIN_KAFKA_JARS") or ROOT / ".cache" / "kafka")
    if not any(jars.glob("kafka_2.13-*.jar")):
        missing("kafka", "make peers")
    return jars


def java_binary() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if java is None or _java_release(java) < JAVA_NEEDED:
        missing("kafka", "apt-get install openjdk-17-jre-headless")
    return java


def _java_release(java: str) -> int:
    """The feature release, from the first quoted word of `java -version` (`"17.0.15"`, `"21"`)."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    version = said.partition('"')[2].partition('"')[0]
    release = version.partition(".")[0].partition("-")[0]
    return int(release) if release.isdigit() else 0
