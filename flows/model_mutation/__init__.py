"""Mutation of the Python model: every changed operator, number or branch of its numeric core must change an answer.

* `mutants`    the changes that cosmic-ray knows, those left out that the interpreter cannot see
* `questions`  vector sets of every operation, with the answers of the oracle, which shares no code with the model
* `run`        the command (`python -m flows.model_mutation.run`, called by make)
"""
