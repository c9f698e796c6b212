"""What stands in playlists, as far as staged ladders need it."""

from ffmesh_agent.ffmpeg.playlists import is_list, named_from, named_in, names_all, rank, says_no_folder

MASTER = b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n0/x.m3u8\n#EXT-X-MEDIA:TYPE=SUBTITLES,URI="subs.m3u8"\n'
MEDIA = b'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1.0,\nx 0.m4s\r\n#EXTINF:1.0,\nx1.m4s\n'


def test_segments_come_before_playlists_and_these_before_what_names_playlists() -> None:
    assert [rank("0.ts", b""), rank("x.m3u8", MEDIA), rank("X.M3U8", MASTER), rank("x.mpd", b"<MPD/>")] == [0, 1, 2, 2]
    assert rank("l.ffconcat", b"file a") == 1


def test_what_a_playlist_names_is_found_as_it_stands_there() -> None:
    assert {"0/x.m3u8", "subs.m3u8"} <= named_in(MASTER)
    assert {"init.mp4", "x 0.m4s", "x1.m4s"} <= named_in(MEDIA)
    assert "a/b.mkv" in named_in(b"file 'a/b.mkv'\n")
    assert "x.csv0" in named_in(b"x.csv0,0.0,1.0\n")
    assert "a\udcff.ts" in named_in(b"a\xff.ts\n")


def test_a_name_leads_on_from_the_folder_of_its_playlist() -> None:
    assert named_from("720/x.m3u8", "s1.ts") == "720/s1.ts"
    assert named_from("720/x.m3u8", "../1080/s1.ts") == "1080/s1.ts"
    assert named_from("720/x.m3u8", "https://films.example/1080/s1.ts") == "720/s1.ts"
    assert named_from("x.m3u8", "/films/1080/s1.ts") == "s1.ts"
    assert [says_no_folder(name) for name in ("s1.ts", "/a/s1.ts", "a://b/s1.ts", "a/s1.ts")] == [True] * 3 + [False]


def test_a_manifest_with_templates_does_not_name_all() -> None:
    assert (is_list("x.MPD"), names_all("x.mpd"), names_all("x.m3u8"), is_list("x.ts")) == (True, False, True, False)
