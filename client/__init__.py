"""The wire protocol and what speaks it: web pages today, the Python SDK next."""
