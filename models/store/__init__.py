"""PostgreSQL: the one impure corner of models. Keeps incidents, their log, the deadline ledger and the outbox.

Decides nothing. Time is the database's everywhere: `clock_timestamp()`, or `statement_timestamp()` where an index has
to serve the comparison.
"""
