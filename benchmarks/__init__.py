"""What is timed, and against whom; see README.md in this folder. Each module is a command."""

import os

# One thread each, as every table says: OpenBLAS reads this when numpy is imported, and with more its threads
# spend processor time waiting for each other, which small products pay for most.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
