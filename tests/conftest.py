"""Fixtures that every test may ask for. Real peers skip, or fail where required (tests/peers/found.py)."""

pytest_plugins = ("tests.peers.alertmanager", "tests.peers.browser", "tests.peers.kafka", "tests.postgres")
