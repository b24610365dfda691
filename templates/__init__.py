"""Words: Jinja2 templates. No logic; read by notifiers and web."""
