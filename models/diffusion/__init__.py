"""Diffusion models of others behind our contract, on the parts of diffusers; imported only when one is asked for."""
