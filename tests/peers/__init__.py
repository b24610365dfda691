"""Real peers for the tests: Alertmanager, Apache Kafka, a browser. Each is found, started on loopback, and ended."""
