"""The doers: plain async functions over batches of records. Each does one thing; none knows Faust or another agent."""
