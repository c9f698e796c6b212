"""ffmpeg's and ffprobe's command line as values: what its words mean, and where a path stands in them.

Everything here is pure, and read at each call of the shim: imports stay light.
"""
