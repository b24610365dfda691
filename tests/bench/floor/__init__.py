"""The floor: the same hops, durability and processes, without Faust, SQLModel, templates or an outbox.

    POST ─▶ receiver ─▶ broker ─▶ triage ─▶ broker ─▶ one transaction per batch ─▶ broker ─▶ pager ─▶ POST

What Tocsin costs beyond it is the price of what it adds. Broker, database and supervisor are the very same.
"""
