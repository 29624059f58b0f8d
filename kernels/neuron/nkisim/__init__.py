"""A clean-room simulator of the part of NKI 0.6 that our kernels use, from AWS's public documentation.

It computes every instruction in NumPy on real byte arrays of SBUF and PSUM, refuses what the documentation forbids, and
runs a cycle model beside it.  `shim.install` puts it in the place of `nki` where the real one is absent.
"""
