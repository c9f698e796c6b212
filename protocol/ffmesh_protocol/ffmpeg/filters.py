"""Which options of which filters name files, and whose turn it is for a value without a key.

Known here are the filters of ffmpeg 4.4 to 8 and of the builds that media servers ship. The order of a filter's options
is 5.1's, with the names of one option joined by `/`; those of other versions come after it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg.places import FOLDER, READ, WRITTEN


class Meaning(NamedTuple):
    """What the value of an option is."""

    use: str = READ
    is_path: bool = True
    is_language: bool = False
    """Of its own, in which files may be named too."""
    is_url: bool = False
    """It is opened by ffmpeg's own layer of protocols, not as the disk names it."""
    is_input: bool = False
    """It is opened by a demuxer, for which the filter may name the format."""
    prints_at_dash: bool = False
    """`-` is the standard output."""
    is_numbered: bool = False
    """`%d` in it is filled in."""
    is_library: bool = False
    """Without a slash it is looked for where such libraries lie."""
    is_model: bool = False
    """A list of `key=value:key=value`, parted by `|`, in which `path` is one."""


class Options(NamedTuple):
    order: tuple[tuple[str, ...], ...]
    """The names of each, in the order in which values without a key are dealt out."""
    meanings: Mapping[str, Meaning]
    """Of some names. Others are numbers, words and expressions."""

    def has(self, name: str) -> bool:
        return name in self.meanings or any(name in names for names in self.order)


TEXT: Final = Meaning(is_path=False)
"""Whatever it looks like, it is no path."""
_LANGUAGE: Final = Meaning(is_path=False, is_language=True)
_READ: Final = Meaning()
_OPENED: Final = Meaning(is_url=True)
_INPUT: Final = Meaning(is_url=True, is_input=True)
_WRITTEN: Final = Meaning(use=WRITTEN)
_STATISTICS: Final = Meaning(use=WRITTEN, prints_at_dash=True)
_PRINTED: Final = Meaning(use=WRITTEN, is_url=True, prints_at_dash=True)
_FOLDER: Final = Meaning(use=FOLDER)
_LIBRARY: Final = Meaning(is_library=True)


def _options(order: str, /, **meanings: Meaning) -> Options:
    return Options(tuple(tuple(names.split("/")) for names in order.split()), meanings)


_movie: Final = _options(
    "filename format_name/f stream_index/si seek_point/sp streams/s loop discontinuity dec_threads format_opts",
    filename=_INPUT,
)
_metadata: Final = _options(
    "mode key value function expr file direct", file=_PRINTED, key=TEXT, value=TEXT, expr=TEXT, function=TEXT
)
_commands: Final = _options("commands/c filename/f", commands=_LANGUAGE, c=_LANGUAGE, filename=_READ, f=_READ)
_statistics: Final = _options("stats_file/f", stats_file=_STATISTICS, f=_STATISTICS)
_vmaf: Final = _options(
    "model_path log_path log_fmt enable_transform psnr ssim ms_ssim pool n_threads n_subsample model feature",
    model_path=_READ,
    log_path=_WRITTEN,
    model=Meaning(is_model=True),
)
_detection: Final = _options(
    "dnn_backend model input output backend_configs options async confidence labels",
    model=_OPENED,
    labels=_READ,
)

FILTERS: Final[Mapping[str, Options]] = {
    "ametadata": _metadata,
    "amovie": _movie,
    "arnndn": _options("model/m mix", model=_READ, m=_READ),
    "asendcmd": _commands,
    "asr": _options(
        "rate hmm dict lm lmctl lmname logfn", hmm=_FOLDER, dict=_READ, lm=_READ, lmctl=_READ, logfn=_WRITTEN
    ),
    "ass": _options("filename/f original_size fontsdir alpha shaping", filename=_READ, f=_READ, fontsdir=_FOLDER),
    "cellauto": _options(
        "filename/f pattern/p rate/r size/s rule random_fill_ratio/ratio random_seed/seed scroll start_full full"
        " stitch",
        filename=_READ,
        f=_READ,
        pattern=TEXT,
        p=TEXT,
    ),
    "cover_rect": _options("cover mode", cover=_OPENED),
    "curves": _options("preset master/m red/r green/g blue/b all psfile plot interp", psfile=_READ, plot=_WRITTEN),
    "derain": _options("filter_type dnn_backend model input output", model=_OPENED),
    "deshake": _options("x y w h rx ry edge blocksize contrast search filename opencl", filename=_WRITTEN),
    "dnn_classify": _detection,
    "dnn_detect": _detection,
    "dnn_processing": _options("dnn_backend model input output backend_configs options async", model=_OPENED),
    "drawtext": _options(
        "fontfile text textfile fontcolor fontcolor_expr boxcolor bordercolor shadowcolor box boxborderw line_spacing"
        " fontsize x y shadowx shadowy borderw tabsize basetime font expansion timecode tc24hmax timecode_rate/r/rate"
        " reload alpha fix_bounds start_number text_source text_shaping ft_load_flags",
        fontfile=_READ,
        textfile=_READ,
        text=TEXT,
        font=TEXT,
        timecode=TEXT,
    ),
    "drawvg": _options("script/s file", file=_READ, script=_LANGUAGE, s=_LANGUAGE),
    "fieldhint": _options("hint mode", hint=_READ),
    "find_rect": _options("object threshold mipmaps xmin/ymin xmax/ymax discard", object=_OPENED),
    "firequalizer": _options(
        "gain gain_entry delay accuracy wfunc fixed multi zero_phase scale dumpfile dumpscale fft2 min_phase",
        dumpfile=_WRITTEN,
    ),
    "flite": _options("list_voices nb_samples/n text textfile v/voice", text=TEXT, textfile=_READ),
    "fsync": _options("file/f", file=_OPENED, f=_OPENED),
    "inlineass": _options("", font_path=_READ, fontconfig_file=_READ, fontsdir=_FOLDER, fonts_dir=_FOLDER),
    "ladspa": _options(
        "file/f plugin/p controls/c sample_rate/s nb_samples/n duration/d latency/l", file=_LIBRARY, f=_LIBRARY
    ),
    "lensfun": _options("make model lens_model db_path mode", make=TEXT, model=TEXT, lens_model=TEXT, db_path=_READ),
    "libplacebo": _options("", custom_shader_path=_READ, lut=_READ, shader_cache=_WRITTEN),
    "libvmaf": _vmaf,
    "libvmaf_cuda": _vmaf,
    "life": _options(
        "filename/f size/s rate/r rule random_fill_ratio/ratio random_seed/seed stitch mold life_color death_color"
        " mold_color",
        filename=_READ,
        f=_READ,
        rule=TEXT,
    ),
    "lut1d": _options("file interp", file=_READ),
    "lut3d": _options("file clut interp", file=_READ),
    "metadata": _metadata,
    "movie": _movie,
    "nnedi": _options("weights deint field planes nsize nns qual etype pscrn", weights=_READ),
    "ocr": _options("datapath language whitelist blacklist", datapath=_FOLDER, whitelist=TEXT, blacklist=TEXT),
    "ocv": _options("filter_name filter_params", filter_params=_LANGUAGE),
    "openclsrc": _options("source kernel size/s format rate/r", source=_READ),
    "paletteuse": _options(
        "dither bayer_scale diff_mode new alpha_threshold use_alpha debug_kdtree color_search mean_err debug_accuracy",
        debug_kdtree=_WRITTEN,
    ),
    "program_opencl": _options("source kernel inputs size/s", source=_READ),
    "psnr": _options("stats_file/f stats_version output_max", stats_file=_STATISTICS, f=_STATISTICS),
    "qrencode": _options("", fontfile=_READ, textfile=_READ, text=TEXT),
    "qrencodesrc": _options("", fontfile=_READ, textfile=_READ, text=TEXT),
    "removelogo": _options("filename/f", filename=_OPENED, f=_OPENED),
    "selectivecolor": _options(
        "correction_method reds yellows greens cyans blues magentas whites neutrals blacks psfile", psfile=_READ
    ),
    "sendcmd": _commands,
    "showcqt": _options("", fontfile=_READ, axisfile=_OPENED),
    "signature": _options(
        "detectmode nb_inputs filename format th_d th_dc th_xh th_di th_it",
        filename=Meaning(use=WRITTEN, is_numbered=True),
    ),
    "sofalizer": _options(
        "sofa gain rotation elevation radius type speakers lfegain framesize normalize interpolate minphase anglestep"
        " radstep",
        sofa=_READ,
    ),
    "sr": _options("dnn_backend scale_factor model input output", model=_OPENED),
    "ssim": _statistics,
    "ssim360": _statistics,
    "subtitles": _options(
        "filename/f original_size fontsdir alpha charenc stream_index/si force_style wrap_unicode",
        filename=_OPENED,
        f=_OPENED,
        fontsdir=_FOLDER,
        force_style=TEXT,
    ),
    "vidstabdetect": _options("result shakiness accuracy stepsize mincontrast show tripod fileformat", result=_WRITTEN),
    "vidstabtransform": _options(
        "input smoothing optalgo maxshift maxangle crop invert relative zoom optzoom zoomspeed interpol tripod debug",
        input=_READ,
    ),
    "vmafmotion": _options("stats_file", stats_file=_STATISTICS),
    "whisper": _options(
        "model language queue use_gpu gpu_device destination format vad_model",
        model=_READ,
        destination=_PRINTED,
        vad_model=_READ,
    ),
    "xfade_opencl": _options("transition source kernel duration offset", source=_READ),
    "xpsnr": _statistics,
}
"""Those with an option that names a file."""
