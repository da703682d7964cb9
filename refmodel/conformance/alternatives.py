"""What may be mistaken in a description of a sound design: each mistake mended, to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from refmodel.conformance.description import Description, Order, Port


@dataclass(frozen=True, slots=True)
class Alternative:
    """A description with one thing changed, and the sentence that says what."""

    says: str
    description: Description


def alternatives(description: Description) -> list[Alternative]:
    """Return the descriptions that differ in one likely mistake: orders, operands, latency, level of the reset."""
    return list(_alternatives(description))


def _alternatives(description: Description) -> Iterator[Alternative]:
    handshake, ports = description.handshake, description.ports
    if handshake.protocol == "byte_serial":
        order = _other(handshake.order)
        yield Alternative(
            f'[handshake] order = "{order}"', replace(description, handshake=replace(handshake, order=order))
        )
    groups = {role: [role] for role in ports if role.endswith("elements") or role == "values"}
    if {"a_elements", "b_elements"} <= set(ports):
        groups["a_elements, b_elements"] = ["a_elements", "b_elements"]
    for roles in groups.values():
        changed = {role: _reversed(ports[role]) for role in roles if ports[role].port}
        if changed:
            words = ", ".join(f'{role} order = "{port.order}"' for role, port in changed.items())
            yield Alternative(f"[ports] {words}", replace(description, ports={**ports, **changed}))
    if "a_elements" in ports:
        yield Alternative("[ports] a_elements and b_elements, a_scale and b_scale exchanged", _exchanged(description))
    if handshake.protocol == "fixed_latency" and isinstance(handshake.latency, int):
        for latency in range(max(0, handshake.latency - 2), handshake.latency + 3):
            if latency != handshake.latency:
                changed_handshake = replace(handshake, latency=latency)
                yield Alternative(f"[handshake] latency = {latency}", replace(description, handshake=changed_handshake))
    if description.reset is not None:
        reset = replace(description.reset, active="low" if description.reset.active == "high" else "high")
        yield Alternative(f'[reset] active = "{reset.active}"', replace(description, reset=reset))


def _other(order: Order) -> Order:
    return "first_low" if order == "first_high" else "first_high"


def _reversed(port: Port) -> Port:
    return replace(port, order=_other(port.order))


def _exchanged(description: Description) -> Description:
    """Return the description with the ports of A for B, and those of B for A."""
    names = {"a": "b", "b": "a"}

    def other(role: str) -> str:
        return names[role[0]] + role[1:] if role[:2] in ("a_", "b_") else role

    ports = {
        other(role): replace(port, role=other(role), after=other(port.after) if port.after else None)
        for role, port in description.ports.items()
    }
    return replace(description, ports=ports)
