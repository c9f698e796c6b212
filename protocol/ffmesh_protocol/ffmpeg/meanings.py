"""What the values of options are: files, graphs, lists of settings, names of codecs. What stands here nowhere is text.

A file is named as a URL where ffmpeg opens it with its own layer of protocols, and as it is on the disk where it calls
the C library. Names that a muxer looks for beside its playlist or manifest are none here.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg.places import FOLDER, PREFIX, READ, WRITTEN


class Kind(StrEnum):
    URL = "url"
    ADDRESS = "address"
    """A URL or a name, which is no path of its own."""
    FILE = "file"
    FILES = "files"
    """Several URLs, with commas between."""
    GRAPH = "graph"
    PARAMETERS = "parameters"
    """Settings for an encoder, as `key=value:key=value`."""
    OPTIONS = "options"
    """Options for the muxer inside a muxer, in the same form."""
    CODEC = "codec"
    HWACCEL = "hwaccel"
    DEVICE = "device"


class Meaning(NamedTuple):
    kind: Kind
    use: str = READ
    is_output: bool = False
    """It is written as the outputs are: a person would call it one."""


_SEGMENTS: Final = Meaning(Kind.URL, WRITTEN, is_output=True)
_WRITTEN: Final = Meaning(Kind.URL, WRITTEN)
_READ: Final = Meaning(Kind.URL, READ)

MEANINGS: Final[dict[str, Meaning]] = {
    **dict.fromkeys(("vf", "af", "filter", "filter_complex", "lavfi"), Meaning(Kind.GRAPH)),
    **dict.fromkeys(("c", "codec", "vcodec", "acodec", "scodec", "dcodec"), Meaning(Kind.CODEC)),
    **dict.fromkeys(("hls_segment_filename", "hls_subtitle_path"), _SEGMENTS),
    **dict.fromkeys(("segment_list", "segment_header_filename"), _SEGMENTS),
    **dict.fromkeys(("progress", "sdp_file", "dump_attachment", "print_graphs_file"), _WRITTEN),
    **dict.fromkeys(("stats_enc_pre", "stats_enc_post", "stats_mux_pre"), _WRITTEN),
    **dict.fromkeys(("enc_stats_pre", "enc_stats_post", "mux_stats"), _WRITTEN),
    **dict.fromkeys(("attach", "filter_script", "filter_complex_script", "hls_key_info_file"), _READ),
    **dict.fromkeys(("progressurl", "manifest_name"), Meaning(Kind.ADDRESS)),
    "vstats_file": Meaning(Kind.FILE, WRITTEN),
    "passlogfile": Meaning(Kind.FILE, PREFIX),
    **dict.fromkeys(("fpre", "ifo_palette", "private_key", "graph_file", "rpu_file"), Meaning(Kind.FILE)),
    **dict.fromkeys(("ca_file", "cafile", "cert_file", "cert", "key_file"), Meaning(Kind.FILE)),
    "aribb24-base-path": Meaning(Kind.FILE, FOLDER),
    "assetmaps": Meaning(Kind.FILES),
    **dict.fromkeys(("x264-params", "x264opts", "x265-params", "svtav1-params"), Meaning(Kind.PARAMETERS)),
    **dict.fromkeys(("aom-params", "kvazaar-params", "vvenc-params"), Meaning(Kind.PARAMETERS)),
    **dict.fromkeys(("format_opts", "fifo_options", "hls_segment_options", "hls_ts_options"), Meaning(Kind.OPTIONS)),
    **dict.fromkeys(("segment_format_options", "seg_format_options", "format_options"), Meaning(Kind.OPTIONS)),
    "hls_vtt_options": Meaning(Kind.OPTIONS),
    "hwaccel": Meaning(Kind.HWACCEL),
    **dict.fromkeys(("init_hw_device", "vaapi_device", "qsv_device"), Meaning(Kind.DEVICE)),
}

OF_PROBE: Final[dict[str, Meaning]] = {
    **{name: MEANINGS[name] for name in ("c", "codec", "vcodec", "acodec", "scodec", "dcodec")},
    **{name: MEANINGS[name] for name in ("ca_file", "cafile", "cert_file", "cert", "key_file", "private_key")},
    **{name: MEANINGS[name] for name in ("graph_file", "assetmaps", "ifo_palette")},
    "o": Meaning(Kind.URL, WRITTEN, is_output=True),
}

_LOG: Final = Meaning(Kind.FILE, WRITTEN)
_STATS: Final = Meaning(Kind.FILE, PREFIX)
"""The first pass writes aside, with `.temp` behind the name, and a second file with `.mbtree` or `.cutree`."""
_TABLE: Final = Meaning(Kind.FILE, READ)
_X264: Final = {
    "stats": _STATS,
    **dict.fromkeys(("dump-yuv", "log-file"), _LOG),
    **dict.fromkeys(("cqmfile", "opencl-clbin"), _TABLE),
}

PARAMETERS: Final[dict[str, dict[str, Meaning]]] = {
    "x264-params": _X264,
    "x264opts": _X264,
    "x265-params": {
        "stats": _STATS,
        **dict.fromkeys(("csv", "analysis-save", "analysis-reuse-file", "recon"), _LOG),
        **dict.fromkeys(("analysis-load", "lambda-file", "zonefile", "scaling-list", "qpfile"), _TABLE),
        **dict.fromkeys(("dhdr10-info", "dolby-vision-rpu", "film-grain", "nalu-file"), _TABLE),
    },
    "svtav1-params": {"fgs-table": _TABLE, "stats": _LOG},
    "aom-params": {
        **dict.fromkeys(("two-pass-output", "second-pass-log"), _LOG),
        **dict.fromkeys(("film-grain-table", "vmaf-model-path", "partition-info-path"), _TABLE),
    },
    "kvazaar-params": {**dict.fromkeys(("cqmfile", "roi", "fast-coeff-table"), _TABLE), "stats-file-prefix": _STATS},
    "vvenc-params": {"statsfile": _LOG, "rcstatsfile": _LOG},
}
"""Of encoders' own settings, those that name files; an underscore is a hyphen there, and capitals are small."""

WORDS_FOR_NO_FILE: Final = frozenset({"scaling-list=default", "scaling-list=off"})

TEXTS: Final = frozenset(
    {
        *("metadata", "program", "stream_group", "map", "map_metadata", "disposition", "timecode", "headers", "header"),
        *("cookies", "base_url", "utc_timing_url", "http_proxy", "hls_fmp4_init_filename"),
        *("user_agent", "user-agent", "referer", "content_type", "post_data", "hls_base_url", "hls_enc_key_url"),
        *("segment_list_entry_prefix", "master_pl_name", "init_seg_name", "media_seg_name", "single_file_name"),
        *(
            "hls_master_name",
            "print_filename",
            "force_key_frames",
            "var_stream_map",
            "cc_stream_map",
            "adaptation_sets",
        ),
        *("key", "iv", "hwaccel_device", "filter_hw_device", "device", "window_title", "rtmp_playpath", "rtmp_app"),
        *("rtmp_pageurl", "rtmp_swfurl", "rtmp_swfverify", "rtmp_tcurl", "location", "resource", "metadata_header_str"),
        *("protocol_whitelist", "protocol_blacklist", "allowed_extensions", "streamid", "srt_streamid", "pes_payload"),
    }
)
"""Their values may look like a path, and are none."""
