"""The processes that `tocsin up` starts, one module each, so that each imports only what it needs."""
