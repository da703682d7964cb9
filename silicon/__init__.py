"""The model against machines: results recorded from silicon, and the simulators of others.

* `python -m silicon` (`make silicon`) fetches recorded tensor-core results and replays every one through
  `refmodel.dot`, then again under rules that are wrong on purpose, to show that the check can fail.
* `python -m silicon.mmasim` (`make mmasim`) compares the model with the simulators of the package mmasim.

Nothing recorded is part of this repository: `fetch` downloads it, `recordings` reads it.
"""
