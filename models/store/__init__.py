"""The one impure corner of models: tables, migrations, the transaction, claims and queries."""
