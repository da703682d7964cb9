"""Whether a DUT description agrees with itself: ports named once, wide enough, apart, and there."""

from __future__ import annotations

from refmodel.conformance.configuration import Configuration, scale_of
from refmodel.conformance.description import Description, Port, map_key, operand_of
from refmodel.conformance.tables import Table, show


def check_description(description: Description, top: Table) -> None:
    """Refuse what no single table shows to be wrong.

    Args:
        description: What was read.
        top: The top of its file.

    Raises:
        DescriptionError: If a port has two purposes or is too narrow for what it carries, roles overlap, a
            format needs a port that there is not, or a configuration is given twice.
    """
    _check_names(description, top)
    for configuration in description.configurations:
        _check_ports(description, configuration)


def _check_names(description: Description, top: Table) -> None:
    """Refuse a port that is named for two purposes, roles that overlap, and configurations given twice."""
    handshake = description.handshake
    single = {
        description.clock: "[clock] port",
        description.reset.port: "[reset] port",
    }
    pins = {
        "in valid": handshake.in_valid, "in ready": handshake.in_ready,
        "out valid": handshake.out_valid, "out ready": handshake.out_ready,
    }  # fmt: skip
    uses = [(f"[handshake] {key}", port) for key, port in pins.items()]
    uses += [("[ties]", port) for port in description.ties]
    for use, port in uses:
        if port in single:
            raise top.error(None, f"port {show(port)} is named twice, by {single[port]} and by {use}")
        single[port] = use
    for role, each in description.ports.items():
        if each.port in single:
            raise top.error(
                None, f"port {show(each.port)} is named twice, by {single[each.port]} and by [ports] {role}"
            )
    names: dict[str, Configuration] = {}
    for configuration in description.configurations:
        if configuration.name in names:
            raise top.error("configurations", f"give {configuration.name} twice")
        names[configuration.name] = configuration


def _check_ports(description: Description, configuration: Configuration) -> None:
    """Refuse ports too narrow for what they carry, and formats that need a port that there is not."""
    table = Table(description.file, "[ports]", {})
    for role in description.operation.roles:
        side = role[0]
        if role.endswith("_scale") and side in "ab" and role not in description.ports:
            operand = getattr(configuration.pair, side)
            if scale_of(operand) is not None:
                raise table.error(role, f"is missing, and {operand.name} has scales; expected a port for them")
    taken: dict[str, list[tuple[int, int, str]]] = {}
    for role, port in description.ports.items():
        found = description.shape(role, configuration)
        if found is None:
            continue
        if port.item_bits is not None and port.item_bits < found.bits:
            raise table.error(
                role, f"has item_bits = {port.item_bits}, but an item of {configuration.name} has {found.bits} bits"
            )
        needed = found.count * (port.item_bits or found.bits)
        if port.width is not None and port.width < needed:
            raise table.error(role, f"has width = {port.width}, but {configuration.name} needs {needed} bits there")
        if port.map is not None:
            _check_map(table, role, port, configuration)
        begin = description.low(role, configuration)
        end = begin + (port.width or needed)
        for low, high, other in taken.get(port.port, []):
            if begin < high and low < end:
                raise table.error(
                    role,
                    f"takes bits {end - 1}:{begin} of {port.port}, where {other} has {high - 1}:{low} "
                    f"({configuration.name})",
                )
        taken.setdefault(port.port, []).append((begin, end, role))


def _check_map(table: Table, role: str, port: Port, configuration: Configuration) -> None:
    assert port.map is not None
    for pair in configuration.pairs:
        operand = operand_of(pair, role)
        if map_key(operand, port.map) not in port.map:
            raise table.error(role, f"has no number for {operand.name}; its map has: {', '.join(port.map)}")
