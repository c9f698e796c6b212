"""An agent as text for reading: how it does, what works there and why the rest does not, and its roots."""

from collections.abc import Iterator, Mapping

from rich.text import Text

from ffmesh_client.tui import drawing
from ffmesh_client.tui.looks import OF_AGENT, Looks
from ffmesh_client.tui.model.agents import AgentLine
from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.messages.capability import AgentView, RootState
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.sizes import size_shown

FACT = 10
SPARK = 40
ROOT_BAR = 12


def agent_drawn(line: AgentLine | None, view: AgentView | None, looks: Looks, width: int) -> Text:
    """Either half may be missing: the first is what is public and live, the second what the coordinator answers."""
    parts: list[Text] = []
    if line is not None:
        parts += [_head(line, looks), *_section("Load", _load(line, looks, width), looks)]
        parts += _section("Roots", _roots(dict(line.roots), looks), looks)
    if view is not None:
        parts += _section("Works", _works(view, looks), looks)
        parts += _section("Does not work", _fails(view, looks), looks)
        parts += _section("Machine", _machine(view, looks), looks)
    return Text("\n\n").join(parts)


def _section(title: str, lines: Iterator[Text], looks: Looks) -> Iterator[Text]:
    body = list(lines)
    if body:
        yield Text.assemble((f"{title}\n", f"bold {looks.accent}"), Text("\n").join(body))


def _head(line: AgentLine, looks: Looks) -> Text:
    sign = OF_AGENT[line.state]
    state = (f"{sign.sign} {line.state.value}", sign.style(looks))
    head = Text.assemble((line.name, f"bold {looks.text}"), "\n", state)
    if line.trouble is not None and line.state is AgentState.ONLINE:
        head.append(f"\n! {one_line(line.trouble)}", style=looks.warning)
    elif line.state is AgentState.DRAINING:
        head.append("  finishes what it has, takes no more", style=looks.muted)
    elif not line.is_online and line.last_seen_at is not None:
        head.append(f", last seen {drawing.day_and_clock(line.last_seen_at)}", style=looks.muted)
    return head


def _load(line: AgentLine, looks: Looks, width: int) -> Iterator[Text]:
    for kind, use in line.slots:
        yield _fact(f"{kind} slots", drawing.slots(use.used, use.total, looks), looks)
    if line.is_online:
        room, load = max(0, min(SPARK, width - FACT - 8)), line.load
        cpu, memory = drawing.percent(load.cpu_percent), drawing.percent(load.memory_percent)
        past, bar = drawing.sparkline(line.cpu, room, looks), drawing.progress_bar(load.memory_percent, room, looks)
        yield _fact("cpu", Text.assemble(past, (cpu.rjust(7), looks.text)), looks)
        yield _fact("memory", Text.assemble(bar, (memory.rjust(7), looks.text)), looks)
        yield _fact("heat", Text(drawing.number(load.temperature_c, " °C"), style=looks.text), looks)


def _roots(roots: Mapping[str, RootState], looks: Looks) -> Iterator[Text]:
    for name, root in roots.items():
        line = Text.assemble((f"${name} ", f"bold {looks.root}"))
        if not root.mounted:
            line.append("✗ not mounted", style=looks.warning)
        elif root.writable is False:
            line.append("not writable", style=looks.warning)
        if root.mounted and root.free_bytes is not None and root.total_bytes:
            used = 100 * (1 - root.free_bytes / root.total_bytes)
            line.append(drawing.progress_bar(used, ROOT_BAR, looks, looks.root))
            line.append(f" {size_shown(root.free_bytes)} of {size_shown(root.total_bytes)} free", style=looks.muted)
        if root.why is not None:
            line.append(f"  {one_line(root.why)}", style=looks.warning)
        yield line


def _works(view: AgentView, looks: Looks) -> Iterator[Text]:
    listed = "" if view.tried else " (listed, not tried yet)"
    fast = {name: f"{name} {fps:g} fps" for name, fps in view.speeds.items()}
    facts = (
        ("programs", ", ".join(f"{name} {version}".strip() for name, version in sorted(view.programs.items()))),
        ("encoders", ", ".join(fast.get(name, name) for name in view.encoders) + listed),
        ("hwaccels", ", ".join(view.hwaccels)),
        ("gpu", ", ".join(view.gpus)),
        ("largest", view.max_resolution or ""),
        ("decoders", f"{len(view.decoders)} listed" if view.decoders else ""),
        ("filters", f"{len(view.filters)} listed" if view.filters else ""),
    )
    for name, value in facts:
        if value:
            yield _fact(name, Text(one_line(value), style=looks.text), looks)


def _fails(view: AgentView, looks: Looks) -> Iterator[Text]:
    for what, why in sorted(view.unavailable.items()):
        yield Text.assemble(("✗ ", looks.bad), (one_line(what), looks.text), (f"  {one_line(why)}", looks.muted))


def _machine(view: AgentView, looks: Looks) -> Iterator[Text]:
    host = view.host
    facts = (
        ("model", host.model if host is not None else ""),
        ("cores", f"{host.cores}, {host.arch}" if host is not None else ""),
        ("memory", size_shown(host.memory_bytes) if host is not None else ""),
        ("version", view.version or ""),
        ("fence", view.fence or ""),
        ("weight", f"{view.weight:g}" if view.weight != 1 else ""),
    )
    for name, value in facts:
        if value:
            yield _fact(name, Text(one_line(value), style=looks.text), looks)


def _fact(name: str, value: Text, looks: Looks) -> Text:
    return Text.assemble((f"{name:<{FACT}}", looks.muted), value)
