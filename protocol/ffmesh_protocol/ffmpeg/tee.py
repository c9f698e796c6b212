"""The list of outputs that the muxer `tee` writes: `[f=mpegts:onfail=ignore]udp://host:1|[select=v]film.mkv`."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg.escapes import Pair, Spelled, spelled, take_pair, take_token
from ffmesh_protocol.ffmpeg.quoting import SLAVE, TEE

OF_A_NAME: Final = (TEE,)
OF_AN_OPTION: Final = (TEE, SLAVE)
"""The levels of quoting around them, the outermost first."""


class Slave(NamedTuple):
    options: tuple[Pair, ...]
    name: Spelled

    def settings(self) -> dict[str, str]:
        return {pair.key: pair.value.text for pair in self.options if pair.key is not None}


def slaves_of(text: str) -> Iterator[Slave]:
    whole, at = spelled(text), 0
    while at < len(text):
        token, at = take_token(whole, at, "|")
        at += 1
        yield _slave(token)


def _slave(token: Spelled) -> Slave:
    if not token.text.startswith("["):
        return Slave((), token)
    options: list[Pair] = []
    at = 1
    while at < len(token.text) and token.text[at] != "]":
        pair = take_pair(token, at, ":]")
        options.append(pair)
        at = pair.at + (token.text[pair.at : pair.at + 1] == ":")
    return Slave(tuple(options), token.part(min(at + 1, len(token.text)), len(token.text)))
