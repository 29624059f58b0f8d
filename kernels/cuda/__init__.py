"""Programs on NVIDIA GPUs: one persistent kernel that interprets them.

Compiled for GPUs by nvcc and checked for spills; run on a CPU as fibres, a block each.  It has never run on a GPU.
"""
