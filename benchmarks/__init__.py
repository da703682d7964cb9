"""What is timed, and against whom; see README.md in this folder."""
