"""Torch definitions, weights and training; no sockets, no Redis, no environment."""
