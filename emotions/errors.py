"""Exceptions of the library; `code` is stable, the message is for people."""

from __future__ import annotations


class ImageError(ValueError):
    """A picture that cannot be used. `code` is stable, the message is for people.

    Codes: `empty_file`, `not_an_image`, `truncated_image` (cut off or damaged), `unsupported_image`, `file_too_large`,
    `too_many_pixels`, `too_much_memory`, and `busy` (other pictures hold the memory; the same file may pass later).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class VideoError(ValueError):
    """A video that cannot be used. `code` is stable, the message is for people.

    Codes: `empty_file`, `not_a_video`, `unsupported_video` (a container or codec that is not read), `no_picture_track`,
    `truncated_video` (cut off or damaged, and nothing of it can be read), `too_many_pixels`, `too_much_memory`,
    `video_too_long`, and `busy` (the same file may pass later).
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AudioError(ValueError):
    """A recording that cannot be used. `code` is stable, the message is for people.

    Codes: `empty_file`, `file_too_large`, `not_a_sound`, `no_sound_track` (a film without sound), `unsupported_sound` (a codec
    that is not read), `truncated_sound` (cut off before its first sound), `sound_too_long`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TextError(ValueError):
    """A text that is not read; `code` is stable: `text_too_long`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TrackerStateError(ValueError):
    """`tracks` is malformed, too long or not of this tracker."""


class ModelFileError(RuntimeError):
    """A model file or the manifest is missing, damaged or of another schema; the message says which and what to do."""
