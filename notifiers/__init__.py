"""One module per outside world. Each renders and sends a delivery and answers with an outcome."""
