"""Fixtures that every test may ask for. Real peers skip, or fail where required (tests/peers/found.py)."""

from hypothesis import settings

pytest_plugins = ("tests.peers.alertmanager", "tests.peers.browser", "tests.peers.kafka", "tests.postgres")

settings.register_profile("tocsin", deadline=None)  # how long a machine takes is no property of ours
settings.load_profile("tocsin")
