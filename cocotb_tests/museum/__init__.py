"""The bug museum: realistic faults, each planted in a copy of the RTL and caught by the vectors."""
