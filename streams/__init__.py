"""The edges and the composition root: topics, wiring, HTTP, CLI, settings, clock, embedded servers. Never imported."""
