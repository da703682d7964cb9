"""The committed results of long runs, in evidence/: whether they hold, and what the README says of them.

* `checks`  what each file must show
* `run`     the commands behind `make evidence` and `make check-evidence`
"""
