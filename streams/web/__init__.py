"""HTTP: webhook receiver, API, inbound provider webhooks, status page, health and metrics."""
