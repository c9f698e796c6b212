"""Pieces of an argument that are no path: what follows one continues its name, or is another syntax's."""

from collections.abc import Iterable, Sequence

from ffmesh_protocol import media
from ffmesh_protocol.media import Piece, RawBytes, RootPath


def until_a_path(pieces: Sequence[Piece]) -> Sequence[Piece]:
    at = next((at for at, piece in enumerate(pieces) if isinstance(piece, RootPath)), len(pieces))
    return pieces[:at]


def in_bytes(pieces: Iterable[Piece]) -> bytes:
    return b"".join(_bytes(piece) for piece in pieces)


def _bytes(piece: Piece) -> bytes:
    match piece:
        case str():
            return piece.encode()
        case RawBytes():
            return media.raw_bytes(piece)
        case RootPath():
            raise AssertionError("a path begins anew")
