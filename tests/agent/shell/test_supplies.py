"""Mains or battery, from a folder as the kernel makes it."""

from pathlib import Path

import pytest

from ffmesh_agent.shell.supplies import power

MAINS = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}
DISCHARGING = {"type": "Battery", "status": "Discharging", "capacity": "63"}
FULL = {"type": "Battery", "status": "Full", "capacity": "100"}
MOUSE = {"type": "Battery", "status": "Discharging", "scope": "Device"}


@pytest.mark.parametrize(
    ("supplies", "value", "said"),
    [
        ([], 1, "on mains power"),
        ([UNPLUGGED, DISCHARGING], 0, "on battery, 63 %"),
        ([DISCHARGING], 0, "on battery, 63 %"),
        ([{"type": "Battery", "status": "Discharging"}], 0, "on battery"),
        ([MAINS, DISCHARGING], 1, "on mains power"),
        ([UNPLUGGED, {"type": "USB", "online": "1"}, DISCHARGING], 1, "on mains power"),
        ([UNPLUGGED, FULL], 1, "on mains power"),
        ([MOUSE], 1, "on mains power"),
        ([MAINS], 1, "on mains power"),
    ],
)
def test_supplies_say_what_this_machine_runs_on(
    supplies: list[dict[str, str]], value: float, said: str, tmp_path: Path
) -> None:
    for number, supply in enumerate(supplies):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, word in supply.items():
            (folder / name).write_text(f"{word}\n")
    seen = power(tmp_path)
    assert (seen.value, seen.said) == (value, said)


def test_where_the_kernel_keeps_no_such_folder_there_is_still_an_answer(tmp_path: Path) -> None:
    assert power(tmp_path / "none").value in {0, 1}
