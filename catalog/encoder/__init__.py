"""From an uploaded file to something that browsers play: probe, ladder, ffmpeg, pipeline."""
