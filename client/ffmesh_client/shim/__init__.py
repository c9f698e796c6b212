"""What stands in for ffmpeg and ffprobe."""
