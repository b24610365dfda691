"""A Kafka-protocol broker and a PostgreSQL for one machine, so that nothing else needs to be installed."""
