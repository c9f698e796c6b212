"""Real files; what cannot be had here (a full disk, a file system without exchange) is put in the kernel's place."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from agent.shell.crashing import ATTEMPT, HIDDEN, SPOOL, note_of, result_of
from ffmesh_agent.shell import exchange, sealing, staging
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.exchange import CannotExchange
from ffmesh_agent.shell.held import Held, Spot
from ffmesh_agent.shell.journal import Journal, Stage, StagedNote
from ffmesh_agent.shell.noted import NotStaged
from ffmesh_agent.shell.staging import TooLate
from ffmesh_agent.shell.steps import planned
from ffmesh_protocol.messages.reports import FailureKind

LATER = boottime() + 100_000


class Place:
    """A root, a journal, and one attempt that writes `$R/out`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.out = self.root / "out"
        self.hidden = self.root / HIDDEN
        self.notes = folder / "staged"
        self.journal = Journal(self.notes, SPOOL)
        list(self.journal.found())

    def begun(self, *, is_folder: bool = False, umask: int | None = None, may_replace: bool = True) -> StagedNote:
        note = note_of(self.journal, self.root, is_folder=is_folder)
        return staging.begin(self.journal, note, umask=umask, may_replace=may_replace)

    def sealed(self, *, is_folder: bool = False, content: str = "new") -> StagedNote:
        note = self.begun(is_folder=is_folder)
        (self.hidden / ("out/a" if is_folder else "out")).write_text(content)
        return sealing.seal(self.journal, note, result_of(ATTEMPT))

    def taken(self, note: StagedNote) -> None:
        staging.drop(self.journal, staging.commit(self.journal, note, LATER))
        assert not self.hidden.exists()
        assert list(self.notes.iterdir()) == []

    @property
    def noted(self) -> StagedNote:
        (note,) = self.journal.found()
        return note


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_file_takes_its_place_and_nothing_else_is_left(place: Place) -> None:
    place.taken(place.sealed())
    assert [file.name for file in place.root.iterdir()] == ["out"]
    assert place.out.read_text() == "new"
    place.taken(place.sealed(content="newer"))
    assert place.out.read_text() == "newer"


def test_a_link_at_the_destination_is_replaced_and_what_it_points_to_stays(place: Place) -> None:
    (place.root / "other").write_text("old")
    place.out.symlink_to("other")
    place.taken(place.sealed())
    assert not place.out.is_symlink()
    assert (place.out.read_text(), (place.root / "other").read_text()) == ("new", "old")


def test_a_folder_takes_its_place_whole_and_what_was_there_is_gone(place: Place) -> None:
    place.taken(place.sealed(is_folder=True))
    assert (place.out / "a").read_text() == "new"
    (place.out / "b").write_text("old")
    place.taken(place.sealed(is_folder=True, content="newer"))
    assert {file.name: file.read_text() for file in place.out.iterdir()} == {"a": "newer"}


def test_a_folder_replaces_a_link_and_not_the_folder_that_it_points_to(place: Place) -> None:
    (place.root / "other").mkdir()
    (place.root / "other" / "b").write_text("old")
    place.out.symlink_to("other")
    place.taken(place.sealed(is_folder=True))
    assert not place.out.is_symlink()
    assert (place.root / "other" / "b").read_text() == "old"


def test_a_folder_above_may_be_a_link(place: Place, tmp_path: Path) -> None:
    place.root.rename(tmp_path / "elsewhere")
    place.root.symlink_to("elsewhere")
    place.taken(place.sealed())
    assert (tmp_path / "elsewhere" / "out").read_text() == "new"


def test_a_new_folder_has_the_umask_of_the_caller_and_what_its_parent_hands_down(place: Place) -> None:
    place.root.chmod(0o2775)
    place.begun(is_folder=True, umask=0o027)
    assert (place.hidden / "out").stat().st_mode & 0o7777 == 0o2750
    assert place.hidden.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("before", "is_folder", "sentence", "failure"),
    [
        ("rmdir", False, "there is no folder $R for its output", FailureKind.INPUT),
        ("mkdir out", False, "its output $R/out is a folder already", FailureKind.PERMANENT),
        ("touch out", True, "its output $R/out/ is no folder already", FailureKind.PERMANENT),
        ("touch out", False, "$R/out exists already; say -y to replace it", FailureKind.PERMANENT),
    ],
)
def test_what_could_never_take_its_place_is_not_even_begun(
    before: str, is_folder: bool, sentence: str, failure: FailureKind, place: Place
) -> None:
    actions = {"rmdir": place.root.rmdir, "mkdir out": place.out.mkdir, "touch out": place.out.touch}
    actions[before]()
    with pytest.raises(NotStaged) as refusal:
        place.begun(is_folder=is_folder, may_replace=False)
    assert (refusal.value.sentence, refusal.value.failure) == (sentence, failure)
    assert list(place.notes.iterdir()) == []


def test_a_folder_with_something_in_it_is_replaced_only_if_one_says_so(place: Place) -> None:
    place.out.mkdir()
    place.begun(is_folder=True, may_replace=False)
    (place.out / "notes").touch()
    with pytest.raises(NotStaged) as refusal:
        place.begun(is_folder=True, may_replace=False)
    assert refusal.value.sentence == "$R/out/ exists already; say -y to replace it"
    assert (place.out / "notes").exists()


def test_a_program_that_ended_well_without_its_output_has_failed_for_good(place: Place) -> None:
    def refusal(is_folder: bool) -> str:
        with pytest.raises(NotStaged) as refused:
            sealing.seal(place.journal, note_of(place.journal, place.root, is_folder=is_folder), result_of(ATTEMPT))
        assert refused.value.failure is FailureKind.PERMANENT
        return refused.value.sentence

    place.begun()
    assert refusal(is_folder=False) == "it ended well and wrote no $R/out"
    os.mkfifo(place.hidden / "out")
    assert refusal(is_folder=False) == "it ended well, and its output $R/out is no plain file"
    assert refusal(is_folder=True) == "it ended well, and its output $R/out/ is no folder"
    place.begun(is_folder=True)
    assert refusal(is_folder=True) == "it ended well and wrote nothing into $R/out/"
    place.begun()
    for name in ("out", "0.ts", "1.ts"):
        (place.hidden / name).touch()
    sentence = "beside $R/out it wrote '0.ts' and 1 more; name them as its output too, or their folder"
    assert refusal(is_folder=False) == sentence


def test_everything_of_an_output_is_synced_before_it_counts_as_sealed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = place.begun(is_folder=True)
    (place.hidden / "out" / "deep").mkdir()
    (place.hidden / "out" / "deep" / "a").write_text("new")
    (place.hidden / "out" / "link").symlink_to("nowhere")
    os.mkfifo(place.hidden / "out" / "fifo")
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    sealing.seal(place.journal, note, result_of(ATTEMPT))
    assert sorted(synced[:5]) == sorted(["a", "deep", "out", HIDDEN, "root"])
    assert synced[5:] == [f"{ATTEMPT}.new", "staged"]


def test_a_rename_is_not_begun_when_its_time_is_over_and_may_be_done_later(place: Place) -> None:
    place.out.write_text("old")
    note = place.sealed()
    with pytest.raises(TooLate):
        staging.commit(place.journal, note, boottime())
    assert place.out.read_text() == "old"
    assert place.noted.stage is Stage.SEALED
    place.taken(note)
    assert place.out.read_text() == "new"


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ENOSPC, FailureKind.NODE),
        (errno.EROFS, FailureKind.NODE),
        (errno.EIO, FailureKind.NODE),
        (errno.ENOENT, FailureKind.INPUT),
        (errno.EISDIR, FailureKind.PERMANENT),
    ],
)
def test_what_the_disk_refuses_is_said_without_a_place_of_this_machine_and_touches_nothing(
    number: int, failure: FailureKind, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Spot, __: Spot) -> NoReturn:
        raise OSError(number, os.strerror(number), str(tmp_path))

    place.out.write_text("old")
    note = place.sealed()
    monkeypatch.setattr(Spot, "replace", refuse)
    with pytest.raises(NotStaged) as refused:
        staging.commit(place.journal, note, LATER)
    assert refused.value.sentence == f"$R/out could not be put in place: {os.strerror(number)}"
    assert refused.value.failure is failure
    assert place.out.read_text() == "old"
    assert place.noted.stage is Stage.SEALED


def test_a_disk_that_is_full_at_the_end_lies_with_the_machine(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    note = place.begun()
    (place.hidden / "out").write_text("new")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(NotStaged, match=r"\$R/out could not be kept: No space left on device") as refused:
        sealing.seal(place.journal, note, result_of(ATTEMPT))
    assert refused.value.failure is FailureKind.NODE


def test_where_folders_cannot_be_exchanged_the_old_one_stays_and_the_sentence_says_what_to_do(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: exchange.Spot, __: exchange.Spot) -> NoReturn:
        raise CannotExchange

    place.out.mkdir()
    (place.out / "a").write_text("old")
    note = place.sealed(is_folder=True)
    monkeypatch.setattr(exchange, "exchanged", refuse)
    with pytest.raises(NotStaged, match=r"\$R/out/ holds something, and .* cannot exchange two folders; empty it"):
        staging.commit(place.journal, note, LATER)
    assert (place.out / "a").read_text() == "old"


def test_what_was_written_aside_and_is_gone_is_said_to_be_gone(place: Place) -> None:
    note = place.sealed()
    (place.hidden / "out").unlink()
    with pytest.raises(NotStaged, match=r"what was written aside for \$R/out is gone"):
        staging.commit(place.journal, note, LATER)


def test_a_root_that_is_broken_when_an_earlier_rename_is_looked_for_is_said_to_be(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sealed = place.sealed()
    with Held(sealed) as held:
        note = place.journal.moved(sealed, Stage.COMMITTING, planned(sealed, held).steps)
    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(NotStaged, match=r"\$R/out could not be looked at: Input/output error") as refused:
        staging.commit(place.journal, note, LATER)
    assert refused.value.failure is FailureKind.NODE


def test_dropping_takes_away_what_a_program_had_locked_and_can_be_done_twice(place: Place) -> None:
    note = place.sealed(is_folder=True)
    (place.hidden / "out").chmod(0)
    staging.drop(place.journal, note)
    staging.drop(place.journal, note)
    assert list(place.root.iterdir()) == []


def test_a_staged_attempt_without_an_output_waits_for_permission_all_the_same(place: Place) -> None:
    note = staging.begin(place.journal, place.journal.fresh(ATTEMPT, ()), umask=None, may_replace=True)
    note = sealing.seal(place.journal, note, result_of(ATTEMPT))
    assert place.noted.result == result_of(ATTEMPT)
    with pytest.raises(TooLate):
        staging.commit(place.journal, note, boottime())
    place.taken(note)
