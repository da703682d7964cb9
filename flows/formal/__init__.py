"""Proofs over all inputs: properties of the RTL in bit-vector theory, each with a twin that must fail."""
