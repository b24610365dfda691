"""What an incident is and what follows from what. Pure: no I/O, no clock, no randomness (models.store excepted)."""
