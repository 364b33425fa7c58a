"""One module for each provider; `PROVIDER` is its class."""
