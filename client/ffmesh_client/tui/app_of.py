"""The application that a widget belongs to, for type checkers: Textual's own word for it says less."""

from typing import Any

from textual.app import App
from textual.dom import DOMNode


def app_of(node: DOMNode) -> App[Any]:
    return node.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - Textual leaves it open
