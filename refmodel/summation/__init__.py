"""Evaluation of accumulation rules on arrays."""
