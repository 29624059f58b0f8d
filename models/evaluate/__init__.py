"""Figures, contact sheets and short videos of the shipped weights on clips that were never trained on."""
