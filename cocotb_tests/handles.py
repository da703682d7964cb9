"""The ports of a design by the names that a description gives them."""

from __future__ import annotations

import re
from typing import Any

_ITEM = re.compile(r"(.+)\[(\d+)\]\Z")


def handle(dut: Any, name: str) -> Any:
    """Return a port, or with ``name[3]`` an item of an array of ports; None if there is none."""
    if (item := _ITEM.match(name)) is None:
        return getattr(dut, name, None)
    array = getattr(dut, item[1], None)
    try:
        return None if array is None else array[int(item[2])]
    except IndexError:
        return None


def base_name(name: str) -> str:
    """Return the name of a port without the number of an item."""
    item = _ITEM.match(name)
    return name if item is None else item[1]
