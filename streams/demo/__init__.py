"""The demo: recorded webhooks played through the whole path, told as it happens."""
