"""Programs on AWS Trainium: one traced NKI kernel per program, and a simulator of our own where NKI is absent.

Nothing here has run on hardware.  What `nkisim` computes is emulated, what its clock says is modelled.
"""
