"""Tiles of arithmetic on tensors; knows no model."""
