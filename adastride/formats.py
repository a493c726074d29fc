"""The kinds of recordings that `adastride.audio` reads: what people are told, and the endings their files have."""

from __future__ import annotations

FORMATS = "WAV, FLAC, OGG, MP3, M4A, AAC, WebM, MP4, MOV, AIFF, AMR or WMA"  # others of their families are read as well
# For folders and zips with other files in them; what is decoded goes by content.
ENDINGS = frozenset((
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".m4b", ".aac", ".webm", ".weba", ".mp4", ".m4v", ".mov", ".3gp",
    ".3g2", ".aif", ".aiff",
    ".aifc", ".caf", ".amr", ".awb", ".wma", ".mka", ".mkv", ".avi",
))
