"""A command line of ffmpeg or ffprobe is read: each option's value as what it is, and each name.

Promised: what is told stands there as ffmpeg itself reads it, for the options of ffmpeg 5.1 and for what else the table
knows. What cannot be told for sure is said as a doubt, in a sentence; nothing is left out in silence. No disk is asked:
what lies in a list, a playlist or a graph that is named is not known here, and such files are told as `lists`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import structs

from ffmesh_protocol.ffmpeg import muxers
from ffmesh_protocol.ffmpeg.command_line import INPUT, OTHER, OUTPUT, CommandLine, File, Named, last_values
from ffmesh_protocol.ffmpeg.graphs import read_graph
from ffmesh_protocol.ffmpeg.meanings import MEANINGS, OF_PROBE, TEXTS, Kind
from ffmesh_protocol.ffmpeg.options import Table
from ffmesh_protocol.ffmpeg.params import files_in, muxer_options_in
from ffmesh_protocol.ffmpeg.places import READ, WRITTEN, Place
from ffmesh_protocol.ffmpeg.placing import address_in
from ffmesh_protocol.ffmpeg.quoting import NONE, PATTERN, joined
from ffmesh_protocol.ffmpeg.tables import FFPROBE, table_of
from ffmesh_protocol.ffmpeg.tee import OF_A_NAME, OF_AN_OPTION, slaves_of
from ffmesh_protocol.ffmpeg.urls import STDERR, STDIN, STDOUT, Address, read_file, read_url, shifted
from ffmesh_protocol.ffmpeg.words import Group, Option, Split, split
from ffmesh_protocol.media import printable

_LIST_SUFFIXES: Final = (".m3u8", ".m3u", ".mpd", ".ffconcat", ".concat", ".cpl")
_LIST_FORMATS: Final = frozenset({"concat", "hls", "applehttp", "hls,applehttp", "dash", "imf"})
_SCRIPTS: Final = frozenset({"filter_script", "filter_complex_script"})
_FROM_A_FILE: Final = "/"
_like_a_path: Final = re.compile(r"(?:^|[=:,|;' ])(?:file:|\.{0,2}/(?!/|dev/(?!shm/)))")
_SHOWN: Final = 80


def read(program: str, words: Sequence[str]) -> CommandLine:
    """`words` are what follows the program's name; they may hold surrogate escapes for bytes that are no UTF-8."""
    options = table_of(program)
    return _Reading(program, tuple(words), split(program, words, options), options).done()


class _Reading:
    def __init__(self, program: str, words: tuple[str, ...], taken: Split, table: Table) -> None:
        self._program = program
        self._words = words
        self._taken = taken
        self._table = table
        self._meanings = OF_PROBE if program == FFPROBE else MEANINGS
        self._named: list[Named] = []
        self._lists: list[Named] = []
        self._idle: list[Named] = []
        self._filters: list[str] = []
        self._doubts = list(taken.doubts)
        self._urls: list[str] = []
        self._devices: list[str] = []
        self._streams: set[int] = set()
        self._reads_stdin = False
        self._writes_stdout = False

    def done(self) -> CommandLine:
        probes = self._program == FFPROBE
        everywhere = self._all_options() if probes else ()
        files: list[tuple[Group, File]] = []
        for group in self._taken.groups:
            options = everywhere or group.options
            for option in group.options:
                self._read_option(option, group)
            files.append((group, self._input(group, options) if group.is_input else self._output(group, options)))
        for option in self._taken.decoding:
            self._read_option(option, None)
        behind = [option for option in self._taken.behind if probes or self._table.is_whole(option.name)]
        for option in behind:
            self._read_option(option, None)
        if probes and not any(option.plain == "o" for option in everywhere or behind):
            self._writes_stdout = True
        named = sorted(self._named, key=lambda each: (each.argument, each.place.start))
        return CommandLine(
            program=self._program,
            words=self._words,
            inputs=tuple(file for group, file in files if group.is_input),
            outputs=tuple(file for group, file in files if not group.is_input),
            whole=tuple(option for option in self._all_options() if self._table.is_whole(option.name)),
            decoding=self._taken.decoding,
            behind=self._taken.behind,
            questions=self._taken.questions,
            named=tuple(named),
            lists=tuple(self._lists),
            idle=tuple(self._idle),
            filters=tuple(dict.fromkeys(self._filters)),
            urls=tuple(dict.fromkeys(self._urls)),
            devices=tuple(dict.fromkeys(self._devices)),
            reads_stdin=self._reads_stdin,
            writes_stdout=self._writes_stdout,
            descriptors=tuple(sorted(number for number in self._streams if number > STDERR)),
            doubts=tuple(dict.fromkeys(self._doubts)),
        )

    def _all_options(self) -> tuple[Option, ...]:
        before = (option for group in self._taken.groups for option in group.options)
        return (*before, *self._taken.decoding, *self._taken.behind)

    # Options

    def _read_option(self, option: Option, group: Group | None) -> None:
        if option.argument is None:
            return
        if option.name.startswith(_FROM_A_FILE):
            self._tell(option.argument, read_url(option.value), OTHER, is_list=True)
            return
        meaning = self._meanings.get(option.plain)
        if meaning is None:
            self._doubt_what_looks_like_a_path(option)
            return
        role = OUTPUT if meaning.is_output else OTHER
        match meaning.kind:
            case Kind.URL:
                address = read_url(option.value, meaning.use)
                if meaning.is_output and group is not None:
                    address = _expanded(address, self._quoting_of_named(option, group))
                self._tell(option.argument, address, role, is_list=option.plain in _SCRIPTS)
            case Kind.ADDRESS:
                self._urls += read_url(option.value).urls
            case Kind.FILE:
                self._tell(option.argument, read_file(option.value, meaning.use), role)
            case Kind.FILES:
                self._tell_each(option.argument, option.value, role)
            case Kind.GRAPH:
                self._read_graph(option.argument, option.value)
            case Kind.PARAMETERS:
                for address in files_in(option.plain, option.value):
                    self._tell(option.argument, address, OTHER)
            case Kind.OPTIONS:
                for found, address in muxer_options_in(option.value):
                    self._tell(option.argument, address, OUTPUT if found.is_output else OTHER)
            case Kind.CODEC | Kind.HWACCEL | Kind.DEVICE:
                pass

    def _quoting_of_named(self, option: Option, group: Group) -> str:
        """Of a name that a muxer fills in: by ffmpeg's own rules a percent sign is doubled for times alone."""
        is_filled = option.plain == "hls_segment_filename" and muxers.names_are_times(last_values(group.options))
        return PATTERN if is_filled else NONE

    def _doubt_what_looks_like_a_path(self, option: Option) -> None:
        if option.plain not in TEXTS and _like_a_path.search(option.value):
            self._doubts.append(
                f"-{printable(option.name[:_SHOWN])} has {printable(option.value[:_SHOWN])}, and whether that names a "
                "file is not known"
            )

    def _tell_each(self, argument: int, text: str, role: str) -> None:
        at = 0
        for part in text.split(","):
            self._tell(argument, shifted(read_url(part), at), role)
            at += len(part) + 1

    def _read_graph(self, argument: int, text: str) -> None:
        graph = read_graph(text)
        self._filters += graph.filters
        self._named += [Named(argument=argument, place=place, role=OTHER) for place in graph.places]
        self._reads_stdin |= graph.reads_stdin
        self._writes_stdout |= graph.writes_stdout
        self._urls += graph.urls
        if graph.doubt is not None:
            self._doubts.append(graph.doubt)

    # Inputs

    def _input(self, group: Group, options: Sequence[Option]) -> File:
        settings = last_values(options)
        form = settings.get("f", "")
        file = File(options=tuple(options), name=group.name, argument=group.argument, form=form)
        if form == muxers.LAVFI:
            self._read_graph(group.argument, group.name)
            return file
        if form in muxers.INPUT_DEVICES or muxers.is_camera(group.name):
            self._devices.append(group.name)
            return file
        address = read_url(group.name, READ)
        if len(address.places) == 1:
            address = _expanded(address, muxers.quoting_of_input(settings, address.places[0].path))
        is_list = address.is_list or form in _LIST_FORMATS or (not form and _is_list(address))
        self._tell(group.argument, address, INPUT, is_list=is_list)
        return structs.replace(file, places=address.places)

    # Outputs

    def _output(self, group: Group, options: Sequence[Option]) -> File:
        settings = last_values(options)
        muxer = muxers.muxer_of(settings, group.name)
        file = File(options=tuple(options), name=group.name, argument=group.argument, form=muxer)
        if muxer == muxers.TEE:
            places = [place for address in self._tee(group) for place in address.places]
            return structs.replace(file, places=tuple(places))
        if muxer == muxers.CHUNK:
            self._read_header(options)
        address = self._written(group.argument, muxer, settings, read_url(group.name, WRITTEN))
        return structs.replace(file, places=address.places)

    def _read_header(self, options: Sequence[Option]) -> None:
        """Of chunks of webm, which have it in a file of its own."""
        for option in options:
            if option.plain == muxers.HEADER and option.argument is not None:
                self._tell(option.argument, read_url(option.value, WRITTEN), OUTPUT)

    def _written(self, argument: int, muxer: str, settings: Mapping[str, str], address: Address) -> Address:
        if muxer == muxers.FIFO:
            inner = settings.get("fifo_format", "")
            muxer = muxers.muxer_of({"f": inner} if inner else {}, _only_path(address))
        if muxer == muxers.NULL:
            self._idle += [Named(argument=argument, place=place, role=OUTPUT) for place in address.places]
            return Address()
        if muxer in muxers.OUTPUT_DEVICES:
            self._devices.append(muxer)
            return Address()
        if muxer in muxers.TO_URLS:
            address = structs.replace(address, places=(), doubt=None)
        address = _expanded(address, muxers.quoting_of_output(muxer, settings))
        self._tell(argument, address, OUTPUT)
        return address

    def _tee(self, group: Group) -> Iterator[Address]:
        for slave in slaves_of(group.name):
            settings = slave.settings()
            for key, value, *_ in slave.options:
                meaning = MEANINGS.get(key or "")
                if meaning is None or meaning.kind is not Kind.URL:
                    continue
                named = address_in(value, read_url(value.text, meaning.use), OF_AN_OPTION)
                self._tell(group.argument, named, OUTPUT if meaning.is_output else OTHER)
            muxer = muxers.muxer_of(settings, slave.name.text)
            address = address_in(slave.name, read_url(slave.name.text, WRITTEN), OF_A_NAME)
            yield self._written(group.argument, muxer, settings, address)

    # What was found

    def _tell(self, argument: int, address: Address, role: str, *, is_list: bool = False) -> None:
        named = [Named(argument=argument, place=place, role=role) for place in address.places]
        self._named += named
        if is_list:
            self._lists += named
            if STDIN in address.streams:
                self._doubts.append("what the list on standard input names is not known")
        self._urls += address.urls
        self._streams.update(address.streams)
        self._reads_stdin |= STDIN in address.streams
        self._writes_stdout |= STDOUT in address.streams
        if address.doubt is not None:
            self._doubts.append(address.doubt)


def _expanded(address: Address, quoting: str) -> Address:
    """The innermost of its levels is that of its pattern."""
    if quoting == NONE:
        return address
    return structs.replace(address, places=tuple(_with_level(place, quoting) for place in address.places))


def _with_level(place: Place, quoting: str) -> Place:
    around = () if place.quoting == NONE else (place.quoting,)
    return structs.replace(place, quoting=joined(quoting, *around))


def _is_list(address: Address) -> bool:
    return any(posixpath.splitext(place.path)[1].lower() in _LIST_SUFFIXES for place in address.places)


def _only_path(address: Address) -> str:
    return address.places[0].path if address.places else ""
