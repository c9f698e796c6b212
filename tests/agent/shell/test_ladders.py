"""Many outputs take their places together: real files; a rename that fails is put in the kernel's place."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from agent.shell.crashing import (
    ATTEMPT,
    HIDDEN,
    NEW_LADDER,
    OLD_LADDER,
    SPOOL,
    knows_no_exchange,
    ladder_of,
    place_of,
    result_of,
    write_ladder,
)
from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell import exchange, sealing, staging, steps
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.held import Held, Spot
from ffmesh_agent.shell.journal import Journal, Place, Stage, StagedNote, Step, Way
from ffmesh_agent.shell.noted import NotStaged
from ffmesh_agent.shell.owners import NewFiles
from ffmesh_agent.shell.staging import Standing, TooLate
from ffmesh_agent.shell.steps import Move
from ffmesh_protocol.messages.reports import FailureKind

LATER = boottime() + 100_000


class Stand:
    """A root with an old ladder, and a new one that is whole and aside."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        write_ladder(self.root, OLD_LADDER, "old")
        self.old = self.seen
        write_ladder(folder, NEW_LADDER, "new")
        self.new = {
            str(file.relative_to(folder)): file.read_text()
            for name in ("master.m3u8", *(f"{variant}.m3u8" for variant in NEW_LADDER), *NEW_LADDER)
            for file in ((folder / name).iterdir() if (folder / name).is_dir() else [folder / name])
        }
        self.journal = Journal(folder / "notes", SPOOL)
        list(self.journal.found())
        self.hidden = self.root / HIDDEN

    @property
    def seen(self) -> dict[str, str]:
        return {
            str(file.relative_to(self.root)): file.read_text()
            for file in self.root.rglob("*")
            if file.is_file() and not file.relative_to(self.root).parts[0].startswith(".")
        }

    def sealed(self) -> StagedNote:
        note = staging.begin(self.journal, ladder_of(self.journal, self.root), umask=None, may_replace=True)
        write_ladder(self.hidden, NEW_LADDER, "new")
        return sealing.seal(self.journal, note, result_of(ATTEMPT))

    @property
    def noted(self) -> StagedNote:
        note = self.journal.last(ATTEMPT)
        assert note is not None
        return note

    def dropped(self) -> None:
        staging.drop(self.journal, self.noted)
        assert not self.hidden.exists()
        assert self.journal.last(ATTEMPT) is None


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def able(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file system can do."""

    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if way != "exchange":
        monkeypatch.setattr(exchange, "probed", partial(knows_no_exchange, numbers_last=way != "without numbers"))
    if way == "copies":
        monkeypatch.setattr(os, "link", no_links)


@pytest.fixture(params=["exchange", "links", "copies"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    way: str = request.param
    able(way, monkeypatch)
    return way


def steps_of(note: StagedNote) -> tuple[Step, ...]:
    with Held(note) as held:
        return steps.planned(note, held).steps


def failing_at(step: int, how: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    really, left = Move.do, iter(range(step + 1))

    def do(move: Move) -> None:
        if next(left, None) == step:
            how()
        really(move)

    monkeypatch.setattr(Move, "do", do)


def refusing(number: int) -> Callable[[], None]:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.usefixtures("way")
def test_a_ladder_takes_its_place_and_what_is_left_of_the_old_one_goes(stand: Stand) -> None:
    (stand.root / "0" / "poster.jpg").write_text("stays")
    staging.commit(stand.journal, stand.sealed(), LATER)
    stand.dropped()
    assert stand.seen == {**stand.new, "0/poster.jpg": "stays"}
    assert sorted(each.name for each in stand.root.iterdir()) == sorted({name.split("/")[0] for name in stand.new})


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_whichever_rename_fails_the_old_ladder_is_back_and_the_new_one_can_be_tried_again(
    number: int, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = stand.sealed()
    count = len(steps_of(note))
    assert count > 8
    for step in range(count):
        with monkeypatch.context() as patched:
            failing_at(step, refusing(number), patched)
            with pytest.raises(NotStaged) as refused:
                staging.commit(stand.journal, stand.noted, LATER)
        assert refused.value.sentence == f"$R/master.m3u8 and 2 more could not be put in place: {os.strerror(number)}"
        assert refused.value.failure is FailureKind.NODE
        assert stand.seen == stand.old
        assert stand.noted.stage is Stage.SEALED
    staging.commit(stand.journal, stand.noted, LATER)
    assert stand.seen == stand.new


@pytest.mark.usefixtures("way")
def test_a_lease_that_nears_its_end_among_the_renames_undoes_them_before_it_ends(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    clock = iter(range(1000))

    def slow() -> float:
        return now + next(clock)

    note = stand.sealed()
    with monkeypatch.context() as patched:
        patched.setattr(staging, "boottime", slow)
        with pytest.raises(TooLate):
            staging.commit(stand.journal, note, now + 14)
    assert stand.seen == stand.old
    assert stand.noted.stage is Stage.SEALED
    staging.commit(stand.journal, stand.noted, LATER)
    assert stand.seen == stand.new


def test_several_renames_begin_only_when_the_lease_has_time_for_all_of_them(stand: Stand) -> None:
    with pytest.raises(TooLate):
        staging.commit(stand.journal, stand.sealed(), boottime() + staging.BATCH_SECONDS)
    assert stand.seen == stand.old
    assert stand.noted.stage is Stage.SEALED


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("then", ["permitted", "refused", "restarted"])
def test_what_a_disk_that_stalls_leaves_half_done_is_finished_or_undone(
    then: str, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = False

    def stall() -> None:
        nonlocal late
        late = True

    note = stand.sealed()
    with monkeypatch.context() as patched:
        patched.setattr(staging, "boottime", lambda: 10_000.0 if late else 0.0)
        failing_at(5, stall, patched)
        with pytest.raises(TooLate):
            staging.commit(stand.journal, note, 1000.0)
    assert stand.seen not in (stand.old, stand.new)
    assert stand.noted.stage is Stage.COMMITTING
    if then == "permitted":
        staging.commit(stand.journal, stand.noted, LATER)
        assert stand.seen == stand.new
    elif then == "restarted":
        assert staging.standing(stand.journal, stand.noted) is Standing.ASIDE
        assert stand.seen == stand.old
    before = stand.seen
    stand.dropped()
    assert stand.seen == (before if then != "refused" else stand.old)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("way", ["exchange", "links", "copies", "without numbers"])
def test_who_undoes_takes_nothing_away_that_another_attempt_has_put_there_since(
    way: str, alike: bool, stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where only its date tells it from our own, which is of the same length."""

    def stop() -> None:
        raise SystemExit

    able(way, monkeypatch)
    note = stand.sealed()
    with monkeypatch.context() as patched:
        failing_at(9, stop, patched)
        with pytest.raises(SystemExit):
            staging.commit(stand.journal, note, LATER)
    taken = [stand.root / step.name.decode() for step in stand.noted.steps][:9]
    others: dict[str, str] = {}
    for file in (place for place in taken if not place.is_dir()):
        other = stand.root / "other"
        text = file.read_text().swapcase() if alike else "another's"
        other.write_text(text)
        later = file.stat().st_mtime_ns + 60_000_000_000  # no lease is shorter
        os.utime(other, ns=(later, later))
        other.replace(file)
        others[str(file.relative_to(stand.root))] = text
    assert len(others) > 4
    stand.dropped()
    assert others.items() <= stand.seen.items()
    assert "is not what it had put there, and stays" in caplog.text


def test_where_numbers_do_not_last_a_clock_that_counts_by_seconds_hides_nothing_of_ours(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise SystemExit

    able("without numbers", monkeypatch)
    note = stand.sealed()
    with monkeypatch.context() as patched:
        failing_at(9, stop, patched)
        with pytest.raises(SystemExit):
            staging.commit(stand.journal, note, LATER)
    for place in [stand.root / step.name.decode() for step in stand.noted.steps][:9]:
        rounded = place.stat().st_mtime_ns // steps.COARSE_CLOCK_NS * steps.COARSE_CLOCK_NS
        os.utime(place, ns=(rounded, rounded))
    stand.dropped()
    assert stand.seen == stand.old


@pytest.mark.parametrize("way", ["links", "copies", "without numbers"])
def test_who_is_killed_while_it_undoes_is_followed_by_one_that_goes_on_with_it(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> NoReturn:
        raise SystemExit

    able(way, monkeypatch)
    really, deaths = Spot.replace, 0
    while True:
        (tmp_path / str(deaths)).mkdir()
        stand = Stand(tmp_path / str(deaths))
        note = stand.sealed()
        with monkeypatch.context() as patched:
            failing_at(9, stop, patched)
            with pytest.raises(SystemExit):
                staging.commit(stand.journal, note, LATER)
        left = iter(range(deaths))

        def dying(spot: Spot, target: Spot, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise SystemExit
            really(spot, target)

        with monkeypatch.context() as patched:
            patched.setattr(Spot, "replace", dying)
            try:
                found = staging.standing(stand.journal, stand.noted)
            except SystemExit:
                found = None
        if found is not None:
            break
        assert staging.standing(stand.journal, stand.noted) is Standing.ASIDE
        assert stand.seen == stand.old
        stand.dropped()
        assert stand.seen == stand.old
        deaths += 1
    assert deaths > 4


@pytest.mark.parametrize("way", ["exchange", "links", "copies", "without numbers"])
def test_of_two_files_that_are_both_overwritten_one_is_never_told_as_both(
    way: str, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> NoReturn:
        raise SystemExit

    able(way, monkeypatch)
    before = {"a.mkv": "old", "b.mkv": "old"}
    for name, text in before.items():
        (stand.root / name).write_text(text)
    note = made(stand, dict.fromkeys(before, Kind.FILE), dict.fromkeys(before, "new"))
    with monkeypatch.context() as patched:
        failing_at(1, stop, patched)
        with pytest.raises(SystemExit):
            staging.commit(stand.journal, note, LATER)
    assert staging.standing(stand.journal, stand.noted) is Standing.ASIDE
    assert stand.seen == stand.old | before
    staging.commit(stand.journal, stand.noted, LATER)
    stand.dropped()
    assert stand.seen == stand.old | dict.fromkeys(before, "new")


def test_segments_come_first_and_what_names_playlists_comes_last(stand: Stand) -> None:
    names = [step.name.decode() for step in steps_of(stand.sealed()) if step.way is not Way.MAKE]
    ranks = [
        3 if name in ("2.m3u8", "2/s0.ts", "0/s1.ts") else 2 if name == "master.m3u8" else int(name.endswith(".m3u8"))
        for name in names
    ]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2, 3}


# --- what belongs to a set --------------------------------------------------------------------------------------------


def made(stand: Stand, targets: dict[str, Kind], files: dict[str, str]) -> StagedNote:
    note = stand.journal.fresh(ATTEMPT, (place_of(stand.root, targets),))
    note = staging.begin(stand.journal, note, umask=None, may_replace=True)
    for name, content in files.items():
        (stand.hidden / name).parent.mkdir(parents=True, exist_ok=True)
        (stand.hidden / name).write_text(content)
    return sealing.seal(stand.journal, note, result_of(ATTEMPT))


def test_pictures_that_go_on_where_the_new_ones_end_are_left_over_and_go(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for number in (1, 2, 3, 4, 6):
        (stand.root / f"p{number}.png").write_text("old")
    staging.commit(stand.journal, made(stand, {"p%d.png": Kind.SET}, {"p1.png": "new", "p2.png": "new"}), LATER)
    stand.dropped()
    there = {name: text for name, text in stand.seen.items() if name.startswith("p")}
    assert there == {"p1.png": "new", "p2.png": "new", "p6.png": "old"}


def test_segments_of_another_film_whose_names_look_alike_stay(stand: Stand) -> None:
    for name in ("film.m3u8", "film0.ts", "film1.ts", "film2.m3u8", "film20.ts", "film2.ts"):
        (stand.root / name).write_text("film0.ts\nfilm1.ts\nfilm2.ts" if name == "film.m3u8" else "old")
    targets = {"film.m3u8": Kind.FILE, "film%d.ts": Kind.SET}
    staging.commit(stand.journal, made(stand, targets, {"film.m3u8": "film0.ts", "film0.ts": "new"}), LATER)
    stand.dropped()
    there = {name: text for name, text in stand.seen.items() if name.startswith("film")}
    assert there == {"film.m3u8": "film0.ts", "film0.ts": "new", "film2.m3u8": "old", "film20.ts": "old"}


@pytest.mark.parametrize("playlist", ["show/%v/index.m3u8", "show/%v.m3u8"])
def test_a_variant_that_is_made_again_takes_nothing_from_the_others(playlist: str, tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    def variant(folder: Path, name: str, segments: int, content: str) -> dict[str, str]:
        names = [f"seg_{number:03d}.ts" for number in range(segments)]
        files = {playlist.replace("%v", name): "\n".join(["#EXTM3U", *names])}
        files |= {f"show/{name}/{each}": content for each in names}
        for each, text in files.items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_text(text)
        return files

    kept = variant(stand.root, "1080", 6, "old")
    variant(stand.root, "720", 6, "old")
    again = variant(tmp_path / "again", "720", 2, "new")
    targets = {playlist: Kind.SET, "show/%v/seg_%03d.ts": Kind.SET}
    staging.commit(stand.journal, made(stand, targets, again), LATER)
    stand.dropped()
    assert {name: text for name, text in stand.seen.items() if name.startswith("show/")} == kept | again


def test_what_no_output_names_is_an_error_and_so_is_nothing_at_all(stand: Stand) -> None:
    targets = {"a.mkv": Kind.FILE, "s%d.ts": Kind.SET}
    with pytest.raises(NotStaged) as refused:
        made(stand, targets, {"a.mkv": "", "s1.ts": "", "deep/s2.ts": ""})
    assert refused.value.sentence == (
        "beside $R/a.mkv and 1 more it wrote 'deep/s2.ts'; name them as its output too, or their folder"
    )
    with pytest.raises(NotStaged, match=r"^it ended well and wrote nothing of \$R/s%d.ts$"):
        made(stand, {"s%d.ts": Kind.SET}, {})
    with pytest.raises(NotStaged, match=r"^it ended well and wrote no \$R/a.mkv$"):
        made(stand, targets, {"s1.ts": ""})


def test_a_set_that_has_something_is_replaced_only_if_one_says_so(stand: Stand) -> None:
    note = stand.journal.fresh(ATTEMPT, (place_of(stand.root, {"%v.m3u8": Kind.SET}),))
    with pytest.raises(NotStaged, match=r"^\$R/0.m3u8 exists already; say -y to replace it$"):
        staging.begin(stand.journal, note, umask=None, may_replace=False)


def test_a_playlist_that_names_hidden_places_is_not_put_in_place(stand: Stand) -> None:
    text = f"#EXTM3U\n{stand.hidden}/s1.ts\n"
    with pytest.raises(NotStaged, match=r"^\$R/x.m3u8 names files by whole paths"):
        made(stand, {"x.m3u8": Kind.FILE, "s%d.ts": Kind.SET}, {"x.m3u8": text, "s1.ts": ""})


def test_a_folder_that_a_link_leads_out_of_its_root_takes_nothing(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (stand.root / "out").symlink_to(tmp_path / "outside")
    note = stand.journal.fresh(ATTEMPT, (place_of(stand.root, {"out/a.mkv": Kind.FILE}),))
    with pytest.raises(NotStaged, match=r"^\$R/out leads out of its root through a link$"):
        staging.begin(stand.journal, note, umask=None, may_replace=True)


def test_sizes_are_told_of_each_output(stand: Stand) -> None:
    note = made(stand, {"a.mkv": Kind.FILE, "s%d.ts": Kind.SET}, {"a.mkv": "four", "s1.ts": "1", "s2.ts": "22"})
    assert note.result is not None
    assert [(each.path, each.bytes) for each in note.result.outputs] == [("$R/a.mkv", 4), ("$R/s%d.ts", 3)]


def test_what_is_made_gets_the_mode_of_its_root(stand: Stand) -> None:
    place = place_of(stand.root, {"a.mkv": Kind.FILE, "d": Kind.FOLDER})
    note = stand.journal.fresh(ATTEMPT, (place,))
    note = staging.begin(stand.journal, note, umask=None, may_replace=True)
    (stand.hidden / "a.mkv").touch(mode=0o600)
    (stand.hidden / "d" / "x").touch(mode=0o600)
    sealing.seal(stand.journal, note, result_of(ATTEMPT), [NewFiles(mode=0o664)])
    modes = [(stand.hidden / name).stat().st_mode & 0o777 for name in ("a.mkv", "d", "d/x")]
    assert modes == [0o664, 0o775, 0o664]


# --- other file systems -----------------------------------------------------------------------------------------------


SWAPPED = "^its hidden folder is not the one that was made$"


def swap(folder: Path, outside: Path, by: str) -> None:
    """Whoever may write in the root: a link, or a folder of their own."""
    folder.rename(folder.with_name("away"))
    if by == "link":
        folder.symlink_to(outside)
    else:
        outside.rename(folder)


@pytest.mark.parametrize("by", ["link", "folder"])
@pytest.mark.parametrize("when", ["sealed", "committed", "dropped", "among the renames"])
def test_a_hidden_folder_that_somebody_has_swapped_is_not_touched(
    when: str, by: str, stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    note = begun(stand.journal, place_of(stand.root, {"a.mkv": Kind.FILE}))
    (stand.hidden / "a.mkv").write_text("new")
    if when != "sealed":
        note = sealing.seal(stand.journal, note, result_of(ATTEMPT))
    outside.mkdir()
    (outside / "a.mkv").write_text("another's")
    (outside / "a.mkv").chmod(0o600)
    if when == "among the renames":
        really = stand.journal.moved

        def moved(*arguments: Any) -> StagedNote:
            if not (stand.root / "away").exists():
                swap(stand.hidden, outside, by)
            return really(*arguments)

        monkeypatch.setattr(stand.journal, "moved", moved)
    else:
        swap(stand.hidden, outside, by)
    works: dict[str, Callable[[], object]] = {
        "sealed": lambda: sealing.seal(stand.journal, note, result_of(ATTEMPT), [NewFiles(mode=0o664)]),
        "dropped": lambda: staging.drop(stand.journal, note),
    }
    with pytest.raises(NotStaged, match=SWAPPED):
        works.get(when, lambda: staging.commit(stand.journal, note, LATER))()
    assert (stand.hidden / "a.mkv").read_text() == "another's"
    assert (stand.hidden / "a.mkv").stat().st_mode & 0o777 == 0o600
    assert not (stand.root / "a.mkv").exists()


def test_a_destination_that_is_swapped_for_a_link_after_the_first_look_takes_nothing(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, folder = tmp_path / "outside", stand.root / "x"
    outside.mkdir()
    folder.mkdir()
    note = made(stand, {"x/keys": Kind.FILE, "b": Kind.FILE}, {"x/keys": "new", "b": "new"})
    really = stand.journal.moved

    def moved(*arguments: Any) -> StagedNote:
        if not folder.is_symlink():
            folder.rmdir()
            folder.symlink_to(outside)
        return really(*arguments)

    monkeypatch.setattr(stand.journal, "moved", moved)
    with pytest.raises(NotStaged, match=r"^\$R/x leads out of its root through a link$"):
        staging.commit(stand.journal, note, LATER)
    assert list(outside.iterdir()) == []
    assert not (stand.root / "b").exists()


@pytest.fixture
def private_umask() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.usefixtures("private_umask")
def test_folders_that_come_from_scratch_have_the_modes_that_their_program_gave_them(tmp_path: Path) -> None:
    root, scratch, journal = tmp_path / "root", tmp_path / "scratch", Journal(tmp_path / "notes", SPOOL)
    list(journal.found())
    root.mkdir()
    scratch.mkdir()
    made = scratch / HIDDEN / "R"
    note = begun(journal, place_of(root, {"%v/more/s%d.ts": Kind.SET}, made))
    for name, mode in (("hi", 0o2775), ("hi/more", 0o755)):
        (made / name).mkdir()
        (made / name).chmod(mode)
    (made / "hi" / "more" / "s0.ts").touch()
    staging.commit(journal, sealing.seal(journal, note, result_of(ATTEMPT)), LATER)
    assert [(root / name).stat().st_mode & 0o7777 for name in ("hi", "hi/more")] == [0o2775, 0o755]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 256 KiB, below a folder."""
    disk = tmp_path / "root" / "mount"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount, and this one may not")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def begun(journal: Journal, place: Place) -> StagedNote:
    note = journal.fresh(ATTEMPT, (place,))
    return staging.begin(journal, note, umask=None, may_replace=True)


def test_outputs_on_a_mount_below_the_others_are_brought_there_first(small_disk: Path, tmp_path: Path) -> None:
    root, journal = small_disk.parent, Journal(tmp_path / "notes", SPOOL)
    list(journal.found())
    (small_disk / "a.mkv").write_text("old")
    note = begun(journal, place_of(root, {"mount/a.mkv": Kind.FILE, "b.mkv": Kind.FILE, "mount/d": Kind.FOLDER}))
    for name in ("mount/a.mkv", "b.mkv", "mount/d/x"):
        (root / HIDDEN / name).write_text("new")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    assert (small_disk / HIDDEN / "a.mkv").read_text() == "new"
    assert (small_disk / "a.mkv").read_text() == "old"
    staging.drop(journal, staging.commit(journal, note, LATER))
    assert {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()} == {
        *("mount/a.mkv", "b.mkv", "mount/d/x")
    }
    assert (small_disk / "a.mkv").read_text() == "new"
    assert sorted(each.name for each in root.iterdir()) == ["b.mkv", "mount"]


def test_what_has_no_room_where_it_is_to_be_says_the_sizes_and_lies_with_the_machine(
    small_disk: Path, tmp_path: Path
) -> None:
    journal, scratch = Journal(tmp_path / "notes", SPOOL), tmp_path / "scratch"
    list(journal.found())
    scratch.mkdir()
    made = scratch / HIDDEN / "R"
    note = begun(journal, place_of(small_disk, {"a.mkv": Kind.FILE}, made))
    (made / "a.mkv").write_bytes(bytes(300_000))
    with pytest.raises(NotStaged, match=r"^its output takes 300.0 kB in \$R, where 2\d\d.\d kB are free$") as refused:
        sealing.seal(journal, note, result_of(ATTEMPT))
    assert refused.value.failure is FailureKind.NODE
    staging.drop(journal, note)
    assert list(scratch.iterdir()) == list(small_disk.iterdir()) == []


def test_what_was_made_in_scratch_leaves_it_when_it_is_beside_its_place(tmp_path: Path) -> None:
    root, scratch, journal = tmp_path / "root", tmp_path / "scratch", Journal(tmp_path / "notes", SPOOL)
    list(journal.found())
    root.mkdir()
    scratch.mkdir()
    made = scratch / HIDDEN / "R"
    note = begun(journal, place_of(root, {"a.mkv": Kind.FILE, "d": Kind.FOLDER}, made))
    (made / "a.mkv").write_text("new")
    (made / "d" / "x").write_text("new")
    (made / "d" / "link").symlink_to("x")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    assert not (made / "a.mkv").exists()
    staging.drop(journal, staging.commit(journal, note, LATER))
    assert (root / "d" / "link").readlink() == Path("x")
    assert sorted(each.name for each in root.iterdir()) == ["a.mkv", "d"]
    assert list(scratch.iterdir()) == []
