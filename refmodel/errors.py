"""Every error that refmodel raises on bad input: one small hierarchy.

Each message names the offending value, where it is, and what would be right.
Each class also derives from the built-in exception a caller would expect.
"""


class MxError(Exception):
    """Base of all errors raised by refmodel on bad input."""


class UnknownNameError(MxError, ValueError):
    """A format, rule or option value that does not exist; the message lists those that do."""


class DefinitionError(MxError, ValueError):
    """A format, rule or option set that contradicts itself."""


class DtypeError(MxError, TypeError):
    """An array of a dtype that the function cannot take without changing values."""


class ShapeError(MxError, ValueError):
    """Arrays whose shapes do not fit each other or the format."""


class CodeRangeError(MxError, ValueError):
    """A code that does not fit the width of its format."""


class ValueRefusedError(MxError, ValueError):
    """A number that the chosen options refuse to convert, such as NaN to a format without NaN."""


class FileError(MxError, ValueError):
    """A file that is missing, unreadable, damaged or lacks what was asked of it."""


class DescriptionError(MxError, ValueError):
    """A DUT description that is wrong, or that does not fit its design; the message names file, table, key."""


class ModuleError(MxError, TypeError):
    """A module of PyTorch that has no MX counterpart, or whose parameters one cannot take over."""


class MissingPackageError(MxError, ImportError):
    """An optional package that is not installed; the message gives the command that installs it."""


class ExplanationError(MxError, RuntimeError):
    """An explanation whose bits are not those of the model: a defect of refmodel, not of the input."""


def unknown_name(kind: str, name: object, known: object) -> UnknownNameError:
    """Return the error for a *name* that is not among the *known* ones."""
    choices = ", ".join(sorted(str(k) for k in known))  # type: ignore[attr-defined]
    return UnknownNameError(f"unknown {kind} {name!r}; choose one of: {choices}")
