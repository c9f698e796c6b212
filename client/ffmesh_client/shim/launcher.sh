#!/bin/sh
# The shim of ffmesh: what is called here as ffmpeg or ffprobe runs on the mesh, or on this machine where that is better.
# `ffmesh shim install` wrote it, and `ffmesh shim remove` restores what was here. A change made here is lost.
#
# What asks a program about itself is answered by the program of this machine, before anything else is started: a server
# asks that often, and takes the answer byte for byte.

ffmpeg=@FFMPEG@
ffprobe=@FFPROBE@
probes=@PROBES@
python=@PYTHON@
start=@START@
owner=@OWNER@
key=@KEY@
config=@CONFIG@
front=@FRONT@

local=$ffmpeg
case "${0##*/}" in
ffprobe)
    local=$ffprobe
    [ "$probes" = mesh ] || exec "$local" "$@"
    ;;
esac

[ $# -gt 0 ] || exec "$local"
for word; do
    case "$word" in
    -version | -buildconf | -L | -license | -formats | -muxers | -demuxers | -devices | -codecs | -decoders | -encoders | \
        -bsfs | -protocols | -filters | -pix_fmts | -layouts | -sample_fmts | -dispositions | -colors | -hwaccels | \
        -sources | -sinks | -h | -\? | -help | --help | *nullsrc=s=1x1*)
        exec "$local" "$@"
        ;;
    esac
done

# The server's own libraries are for its own programs: an interpreter may not start with them. The program of this
# machine gets them back.
FFMESH_LD_LIBRARY_PATH=${LD_LIBRARY_PATH-}
FFMESH_LD_PRELOAD=${LD_PRELOAD-}
export FFMESH_LD_LIBRARY_PATH FFMESH_LD_PRELOAD
unset LD_LIBRARY_PATH LD_PRELOAD

[ -x "$python" ] && [ -r "$start" ] || {
    echo "ffmesh: the shim lost its program, $start: install ffmesh again, then \`ffmesh shim install\`" >&2
    LD_LIBRARY_PATH=$FFMESH_LD_LIBRARY_PATH LD_PRELOAD=$FFMESH_LD_PRELOAD exec "$local" "$@"
}
[ -n "$front" ] && [ -x "$front" ] && exec "$front" "$python" "$start" "$local" "$owner" "$key" "$config" "$0" "$@"
exec "$python" -S -I -X utf8 "$start" "$local" "$owner" "$key" "$config" "$0" "$@"
