"""Whether a DUT description agrees with itself: ports named once, wide enough, apart, and there."""

from __future__ import annotations

from refmodel.conformance.configuration import Configuration, Operand, element_of, scale_of
from refmodel.conformance.description import Description, Port, map_key, operand_of
from refmodel.conformance.tables import Table, show
from refmodel.formats import FloatFormat


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
    single = {description.clock: "[clock] port"} if description.clock else {}
    uses = [("[reset] port", description.reset.port)] if description.reset else []
    uses += [(f"[handshake] {key}", port) for key, port in handshake.pins.items()]
    uses += [("[ties]", port) for port in description.ties]
    for use, port in uses:
        if port in single:
            raise top.error(None, f"port {show(port)} is named twice, by {single[port]} and by {use}")
        single[port] = use
    for role in description.ports:
        for port in description.port_names(role, description.configurations[0]):
            if port in single:
                raise top.error(None, f"port {show(port)} is named twice, by {single[port]} and by [ports] {role}")
    _check_protocol(description, top)
    names: dict[str, Configuration] = {}
    for configuration in description.configurations:
        if configuration.name in names:
            raise top.error("configurations", f"give {configuration.name} twice")
        names[configuration.name] = configuration


def _check_protocol(description: Description, top: Table) -> None:
    """Refuse what a protocol cannot carry."""
    handshake, operation = description.handshake, description.operation
    if handshake.protocol == "byte_serial":
        for direction, bus in (("in", handshake.in_data), ("out", handshake.out_data)):
            roles = [role for role in description.ports if operation.roles[role].direction == direction]
            if not any(description.ports[role].port == bus for role in roles):
                raise top.error("ports", f"have nothing on {bus}, the bus of [handshake] {direction}")
            for role in roles:
                if direction == "out" and description.ports[role].port != bus:
                    raise top.error("ports", f"have {role} outside {bus}, over which results come")
    runs = "last" in operation.roles
    without_valid = handshake.protocol == "combinational" or (
        handshake.protocol == "fixed_latency" and not handshake.in_valid
    )
    for configuration in description.configurations:
        if without_valid and (runs or (configuration.beats > 1 and "lanes" in operation.axes)):
            raise top.error(
                "handshake", f"has no valid, but {configuration.name} takes an item in several beats; "
                'protocol "combinational", and "fixed_latency" without in.valid, are for one beat an item',
            )  # fmt: skip


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
        if port.signed and any(isinstance(element_of(each), FloatFormat) for each in _operands(role, configuration)):
            raise table.error(role, f"has signed = true, but the elements of {configuration.name} are no integers")
        if not isinstance(port.ports, str) and port.ports and len(port.ports) != found.count:
            named = len(port.ports)
            raise table.error(role, f"names {named} ports; {configuration.name} has {found.count} items there")
        needed = found.count * (port.item_bits or found.bits)
        if port.width is not None and port.width < needed:
            raise table.error(role, f"has width = {port.width}, but {configuration.name} needs {needed} bits there")
        if port.map is not None:
            _check_map(table, role, port, configuration)
        for piece in description.pieces(role, configuration):
            begin, end = piece.low, piece.low + (port.width or len(piece.bits))
            for low, high, other in taken.get(piece.port, []):
                if begin < high and low < end:
                    raise table.error(
                        role,
                        f"takes bits {end - 1}:{begin} of {piece.port}, where {other} has {high - 1}:{low} "
                        f"({configuration.name})",
                    )
            taken.setdefault(piece.port, []).append((begin, end, role))


def _operands(role: str, configuration: Configuration) -> list[Operand]:
    """Return the formats of the elements of a role."""
    side = "b" if role.startswith("b_") else "a"
    return [getattr(pair, side) for pair in configuration.pairs]


def _check_map(table: Table, role: str, port: Port, configuration: Configuration) -> None:
    assert port.map is not None
    for pair in configuration.pairs:
        operand = operand_of(pair, role)
        if map_key(operand, port.map) not in port.map:
            raise table.error(role, f"has no number for {operand.name}; its map has: {', '.join(port.map)}")
