"""One table per profile: what its document says, row by row, and the number of the rule that the row proves."""
