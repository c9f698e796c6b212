"""protocol/README.md tells the truth: its examples decode, its tables are those of the package."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from ffmesh_protocol import codec, limits, times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.keys import Label
from ffmesh_protocol.messages.jobs import JobKind, JobState
from ffmesh_protocol.messages.reports import DeclineCode, FailureKind, HeldPhase
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import DELIVERY, RESERVED_VERBS, Family, Verb, parse
from ffmesh_protocol.wire import Directed
from support.told import message_kinds

PROTOCOL = Path(__file__).parents[2] / "protocol"
README = (PROTOCOL / "README.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(r"^```json (\S+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
KINDS = {f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}": kind for kind in message_kinds()}
NUMBERS: tuple[type[Any], ...] = (int, float, tuple)
ULID = "01JD00000000000000000000AA"


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_a_whole_message_of_the_struct_that_it_names(name: str, example: str) -> None:
    kind: Any = KINDS[name]
    message = codec.decode(kind, example.encode())
    assert json.loads(codec.encode(message)) == json.loads(example)


def test_every_message_has_its_example() -> None:
    parts = {kind for told in KINDS.values() for kind in structs_within(told)}
    whole = {name for name, kind in KINDS.items() if issubclass(kind, Directed) or kind not in parts}
    views = {"jobs.JobView", "capability.AgentView"}  # told within lists only, and shown there
    assert whole - views <= {name for name, _ in EXAMPLES}


def structs_within(kind: type[msgspec.Struct]) -> set[type]:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    found: set[type] = set()
    waiting: list[Any] = [field.type for field in info.fields]
    while waiting:
        each = waiting.pop()
        if isinstance(each, msgspec.inspect.StructType):
            found.add(each.cls)
            waiting += [field.type for field in each.fields]
        elif isinstance(each, msgspec.inspect.UnionType):
            waiting += each.types
        elif isinstance(each, msgspec.inspect.VarTupleType):
            waiting.append(each.item_type)
        elif isinstance(each, msgspec.inspect.DictType):
            waiting.append(each.value_type)
    return found


@pytest.mark.parametrize("module", [times, limits], ids=lambda module: module.__name__)
def test_the_tables_of_numbers_are_those_of_the_package(module: ModuleType) -> None:
    begin = README.index(f"\n## {module.__name__.rpartition('.')[2].capitalize()}\n")
    section = README[begin : README.index("\n## ", begin + 1)]
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", section, flags=re.MULTILINE))

    assert told == {
        name: spoken(value) for name, value in vars(module).items() if name.isupper() and isinstance(value, NUMBERS)
    }


def spoken(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return " … ".join(map(spoken, value))
    if value == 2**63 - 1:
        return "2^63-1"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def test_the_table_of_topics_is_that_of_the_package() -> None:
    rows = re.findall(r"^\| `(P/[^`]+)` \| [^|]+ \| (\d) \| (R?) ?\| ([^|]*)\|", README, flags=re.MULTILINE)
    families: set[Family] = set()
    for topic, qos, retain, expiry in rows:
        for placeholder, value in {
            "P/": "ffmesh/home/",
            "<role>": "agents",
            "<name>": "pi-1",
            "<ulid>": ULID,
            "<verb>": "hello",
            "<path>": "pause",
        }.items():
            topic = topic.replace(placeholder, value, 1)
        topic = topic.replace("<name>", "tv")
        place = parse(topic)
        assert place is not None, topic
        families.add(place.family)
        delivery = DELIVERY[place.family]
        assert (int(qos), bool(retain)) == (delivery.qos, delivery.retain), topic
        assert expiry.strip() == (f"{delivery.expiry_seconds} s" if delivery.expiry_seconds else ""), topic
    assert families == set(Family)


def test_every_verb_label_and_word_is_named() -> None:
    named = set(re.findall(r"`([^`\s]+)`", README))
    assert {*Verb, *RESERVED_VERBS} <= named
    assert {*ReasonCode, *RefusalCode, *JobState, *JobKind} <= named
    assert {*HeldPhase, *FailureKind, *DeclineCode, *Stopped} <= named
    assert {*set(Label) - {Label.CLIENT_ID}, f"{Label.CLIENT_ID}/<life>"} <= named


def test_the_worked_example_is_the_first_vector() -> None:
    vector = json.loads((PROTOCOL / "vectors.json").read_text(encoding="utf-8"))["messages"][0]
    parts = re.findall(r"^    ([0-9a-f]{8})  (.{75})[a-z ]+$", README, flags=re.MULTILINE)
    covered = b"".join(bytes.fromhex(length) + part.rstrip().encode() for length, part in parts)
    assert covered.hex() == vector["covered"]
    assert f"key       {vector['key']}" in README
    assert f"mac       {dict(vector['properties'])['mac']}" in README


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    }
    for target in re.findall(r"\]\(#([^)]+)\)", README):
        assert target in headings
    for file in re.findall(r"\]\(([^#)]+)\)", README):
        assert (PROTOCOL / file).exists()
