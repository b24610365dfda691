"""The floor's topics; as many partitions as ours."""

from __future__ import annotations

from datetime import timedelta

from streams.topics import Topic

WEBHOOKS, SIGNALS, PAGES, DEADLINES = "floor.webhooks", "floor.signals", "floor.pages", "floor.deadlines"
TOPICS = [Topic(name, timedelta(days=7)) for name in (WEBHOOKS, SIGNALS, PAGES, DEADLINES)]
