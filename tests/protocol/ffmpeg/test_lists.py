"""Files that name other files run elsewhere only if what they name is there by the same name."""

import pytest

from ffmesh_protocol.ffmpeg.lists import wrong_in_graph, wrong_in_list


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("list.txt", "ffconcat version 1.0\n# one\nfile 'a b.mkv'\nduration 3\nfile part/c.mkv\n"),
        ("list.txt", "a.mkv\nb.mkv\n"),
        ("a.m3u8", '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:3,\nseg0.ts\nhttps://host/seg1.ts\n'),
        ("a.mpd", '<MPD><BaseURL>v/</BaseURL><X initialization="init.m4s" media="c-$Number$.m4s"/></MPD>'),
    ],
)
def test_a_list_of_names_below_it_may_go(path: str, content: str) -> None:
    assert wrong_in_list(path, content) is None


@pytest.mark.parametrize(
    ("path", "content", "named"),
    [
        ("list.txt", "file 'a.mkv'\nfile '/media/b.mkv'\n", "/media/b.mkv"),
        ("list.txt", "file a\\ b/../../c.mkv\n", "a b/../../c.mkv"),
        ("list.txt", "file file:c.mkv\n", "file:c.mkv"),
        ("A.M3U8", '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="/keys/a"\nseg0.ts\n', "/keys/a"),
        ("a.m3u", "/music/a.flac\n", "/music/a.flac"),
        ("a.mpd", '<MPD><SegmentTemplate media="../c-$Number$.m4s"/></MPD>', "../c-$Number$.m4s"),
    ],
)
def test_a_list_that_leads_elsewhere_stays(path: str, content: str, named: str) -> None:
    sentence = wrong_in_list(path, content)
    assert sentence is not None
    assert sentence.startswith(f"{path} names {named}, which ")


def test_a_graph_in_a_file_has_no_paths_of_this_machine() -> None:
    assert wrong_in_graph("g", "scale=2:2,subtitles=a.srt") is None
    assert "/media/a.srt" in (wrong_in_graph("g", "subtitles=/media/a.srt") or "")
    assert (wrong_in_graph("g", "scale=2:2[") or "").startswith("g: ")
