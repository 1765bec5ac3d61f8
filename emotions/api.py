"""One function for each modality, with the models that ship with the package; they are loaded at the first call."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from .face.defaults import DEFAULT_HEAD, DEFAULT_VIEWS

if TYPE_CHECKING:
    from .face.analyzer import FaceAnalyzer
    from .face.results import ImageResult
    from .image.loading import ImageSource
    from .sources import Source
    from .speech.classifier import SpeechClassifier
    from .speech.results import SpeechResult
    from .text.classifier import TextClassifier
    from .text.results import TextResult
    from .video.results import VideoResult

FPS = 5.0
"""Frames a second that `analyze_video` reads by default."""


def analyze_photo(
    source: ImageSource,
    *,
    detector: str = "auto",
    landmarks: bool = False,
    explain: bool = False,
    head: str = DEFAULT_HEAD,
    views: int = DEFAULT_VIEWS,
) -> ImageResult:
    """Detect the faces of a photo and classify their expressions.

    Args:
        source: Path, bytes of an image file, binary file object, NumPy array (uint8: (H, W, 3) RGB or (H, W) grey), or PIL image.
        detector: `auto`, `blazeface`, `haar`, or `none`, which takes the whole image as one face.
        landmarks: Add the 468 landmarks and the head pose of each face.
        explain: Add an occlusion saliency map to the largest faces.
        head: Expression head: `mixed`, `ferplus` or `fer2013`.
        views: Views of each face over which the probabilities are averaged: 1, 2 (the face and its mirror image) or 10 (four
            shifts too). Each takes as long as classifying one more face.

    Returns:
        The faces, largest first; `faces` is empty where none is found.

    Raises:
        ImageError: The image cannot be used.
        SourceError: The path is that of a device, or a pipe gives more than `Limits.file_mb`.
        ModelFileError: A model is missing or damaged, or there is no such head.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `detector` or `views` has another value.

    Example:
        >>> from emotions import analyze_photo
        >>> result = analyze_photo("tests/data/astronaut.jpg")
        >>> result.width, result.height, len(result.faces)
        (400, 400, 1)
        >>> result.faces[0].emotion
        'happy'
    """
    return _face_analyzer(head).analyze(source, detector, landmarks, explain, views)


def analyze_video(
    source: Source,
    *,
    fps: float = FPS,
    detector: str = "auto",
    landmarks: bool = False,
    head: str = DEFAULT_HEAD,
    views: int = DEFAULT_VIEWS,
    start: float = 0.0,
    end: float | None = None,
    merge: bool = True,
) -> VideoResult:
    """Detect, track and classify the faces of a video.

    The result holds the faces of every sampled frame; for long videos, iterate over a `VideoAnalyzer` instead.

    Args:
        source: Path, bytes of a video file, or binary file object.
        fps: Frames a second to read, 0.01 to 30.
        detector: As for `analyze_photo`.
        landmarks: Add the 468 landmarks and the head pose of each face.
        head: As for `analyze_photo`.
        views: As for `analyze_photo`, in every sampled frame.
        start: Seconds from which the video is analyzed.
        end: Seconds at which that ends, None for the end of the video.
        merge: Give a person who comes back after some time the same id again, by the appearance of face and clothes.

    Returns:
        The faces of the sampled frames with the ids of the people, and the summary.

    Raises:
        VideoError: The video cannot be used.
        SourceError: The path is that of a device, or a pipe gives more than `Limits.file_mb`.
        ModelFileError: A model is missing or damaged, or there is no such head.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.
        ValueError: `fps`, `detector` or `views` has another value, or `start` and `end` are no part of a video.

    Example:
        >>> from emotions import analyze_video
        >>> result = analyze_video("tests/data/av1.webm", fps=1)
        >>> [(frame.time, frame.faces[0].id, frame.faces[0].emotion) for frame in result.frames]
        [(0.0, 0, 'happy'), (1.0, 0, 'happy')]
        >>> result.summary["people"][0]["shares"]["happy"]
        1.0
    """
    from .video.analyzer import VideoAnalyzer
    from .video.results import FrameFaces, VideoResult, with_people

    with VideoAnalyzer(source, fps, detector, landmarks, _face_analyzer(head), views, start, end, merge) as video:
        frames = [FrameFaces(frame.time, frame.result.faces, frame.number) for frame in video]
        return VideoResult(with_people(frames, video.merged_ids()), video.summary())


@overload
def analyze_text(text: str, *, explain: bool = ..., sentences: bool = ...) -> TextResult: ...
@overload
def analyze_text(text: list[str], *, explain: bool = ..., sentences: bool = ...) -> list[TextResult]: ...
def analyze_text(text: str | Iterable[str], *, explain: bool = False, sentences: bool = False) -> TextResult | list[TextResult]:
    """Classify the emotions that an English text expresses.

    Args:
        text: One text of at most 1,000,000 characters (`Limits.text_characters`), or several.
        explain: Add the attribution of each word.
        sentences: Add the prediction for each sentence.

    Returns:
        The prediction, or a list of predictions in the order of the texts. Probabilities are independent of each other.

    Raises:
        TextError: A text is too long.
        ModelFileError: The model is missing or damaged.
        TypeError: `text` is neither a string nor strings.

    Example:
        >>> from emotions import analyze_text
        >>> analyze_text("I love it, thank you so much!").emotion
        'happy'
        >>> [result.emotion for result in analyze_text(["I hate you!", "So sad about this."])]
        ['anger', 'sad']
    """
    if isinstance(text, str):
        return _text_classifier().predict(text, explain, sentences)
    texts = _strings(text)
    return [_text_classifier().predict(one, explain, sentences) for one in texts]


def analyze_speech(source: Source) -> SpeechResult:
    """Classify the emotion of a voice in a recording.

    Args:
        source: Path, bytes of an audio or video file, or binary file object.

    Returns:
        The prediction for the recording and its segments. Where there is no speech, `emotion` is None and `reason` is given.

    Raises:
        AudioError: The recording cannot be used.
        SourceError: The path is that of a device, or a pipe gives more than `Limits.file_mb`.
        ModelFileError: A model is missing or damaged.
        OSError: The file cannot be opened.
        TypeError: `source` is of another type.

    Example:
        >>> from emotions import analyze_speech
        >>> result = analyze_speech("tests/data/buzz.flac")
        >>> result.seconds, result.emotion, result.reason
        (2.0, None, 'not_speech')
    """
    return _speech_classifier().predict(source)


def _strings(texts: Any) -> list[str]:
    if isinstance(texts, (bytes, bytearray)) or not isinstance(texts, Iterable):
        raise TypeError(f"expected a text (str) or several (an iterable of str), not {type(texts).__name__}")
    found = list(texts)
    for text in found:
        if not isinstance(text, str):
            raise TypeError(f"expected texts (str), not {type(text).__name__}")
    return found


@cache
def _face_analyzer(head: str) -> FaceAnalyzer:
    from .face.analyzer import FaceAnalyzer

    return FaceAnalyzer(head=head)


@cache
def _text_classifier() -> TextClassifier:
    from .text.classifier import TextClassifier

    return TextClassifier()


@cache
def _speech_classifier() -> SpeechClassifier:
    from .speech.classifier import SpeechClassifier

    return SpeechClassifier()
