"""Exceptions of the library. Each can be pickled, so that a worker process can hand it to its parent."""

from __future__ import annotations


class EmotionDetectorError(Exception):
    """Base class of all errors that this library raises on purpose."""


class MissingPackageError(EmotionDetectorError, ImportError):
    """An optional package that is not installed."""


class CodedError(EmotionDetectorError, ValueError):
    """An input that cannot be used.

    Attributes:
        code: Stable identifier of the cause, for programs.
        message: Explanation in English, for people; also `str(error)`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # pickle calls the class with `args`
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


class SourceError(CodedError):
    """A source that is not read. Codes: `not_a_file` (a device or a socket), `file_too_large` (of a pipe, by what it gives)."""


class ImageError(CodedError):
    """An image that cannot be used.

    Codes: `empty_file`, `not_an_image`, `truncated_image` (cut off or damaged, or most pixels are missing), `unsupported_image`
    (of a format that is not read, or with more parts than any encoder writes), `file_too_large`, `too_many_pixels` (in all, or a
    side), `too_much_memory`, and `busy` (other images hold the memory; the same file may pass later).
    """


class VideoError(CodedError):
    """A video that cannot be used.

    Codes: `empty_file`, `not_a_video`, `unsupported_video` (a container or codec that is not read), `no_picture_track`,
    `truncated_video` (cut off or damaged, and nothing of it can be read), `file_too_large` (of an animated picture),
    `too_many_pixels`, `too_much_memory`, `video_too_long`, `outside_video` (there is no frame in the part that is asked for),
    and `busy` (the same file may pass later).
    """


class AudioError(CodedError):
    """A recording that cannot be used.

    Codes: `empty_file`, `file_too_large`, `not_a_sound`, `no_sound_track` (a video without sound), `unsupported_sound` (a codec,
    sample rate, number of channels or header that is not read), `truncated_sound` (cut off before its first sound),
    `sound_too_long`, `too_much_memory`, and `busy` (other files hold the memory; the same file may pass later).
    """


class TextError(CodedError):
    """A text that cannot be used. Code: `text_too_long`."""


class MemoryBudgetError(CodedError):
    """Memory that a budget does not grant. Codes: `too_much_memory` (it never will), `busy` (others hold it at the moment)."""


class TimeBudgetError(CodedError):
    """Work that ends before it is done.

    Codes: `too_much_work` (it takes more processor time than one input may), `client_gone` (nobody waits for the result),
    `shutting_down` (the server ends; the same input may pass later).
    """


class TrackerStateError(EmotionDetectorError, ValueError):
    """A tracker state that is malformed, too long or not of this tracker."""


class ModelFileError(EmotionDetectorError, RuntimeError):
    """A model file or the manifest is missing, damaged or of another schema; the message says which and what to do."""
