"""Functions at the package's root: inputs, default head, lazy imports."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import emotions
from emotions import EMOTIONS, analyze_photo, analyze_speech, analyze_text, analyze_video
from emotions.api import FPS
from emotions.face.defaults import DEFAULT_HEAD
from emotions.video import reader

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
FILES = {analyze_photo: DATA / "astronaut.jpg", analyze_video: DATA / "av1.webm", analyze_speech: DATA / "buzz.flac"}


class Pipe(io.RawIOBase):
    """A file object that cannot seek."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._file.readinto(buffer)


def without_times(result) -> dict:
    return {name: value for name, value in result.to_json().items() if name != "timing_ms"}


@pytest.mark.parametrize("function", FILES, ids=lambda function: function.__name__)
def test_files_in_every_form_give_the_same_result(function):
    path = FILES[function]
    expected = without_times(function(path))
    data = path.read_bytes()
    at_its_end = io.BytesIO(data)
    at_its_end.seek(0, io.SEEK_END)
    for source in (str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), at_its_end, Pipe(data)):
        assert without_times(function(source)) == expected
    with path.open("rb") as file:
        assert without_times(function(file)) == expected and not file.closed


@pytest.mark.parametrize("function", FILES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("source", [None, 7, ["a.jpg"], io.StringIO("text"), object()], ids=lambda source: type(source).__name__)
def test_other_types_are_a_type_error(function, source):
    with pytest.raises(TypeError, match=r"expected a path \(str or os.PathLike\), the bytes of a file, .*binary file object"):
        function(source)


def test_a_text_file_object_is_refused():
    with open(__file__, encoding="utf-8") as file, pytest.raises(TypeError, match="binary mode"):
        analyze_photo(file)


@pytest.mark.parametrize("function", FILES, ids=lambda function: function.__name__)
def test_a_missing_file_is_an_os_error(function, tmp_path):
    with pytest.raises(FileNotFoundError):
        function(tmp_path / "missing")


def test_arrays_and_pil_images_give_the_same_result():
    path = FILES[analyze_photo]
    with Image.open(path) as image:
        expected = without_times(analyze_photo(image))
        pixels = np.asarray(image.convert("RGB"))
        grey = np.asarray(image.convert("L"))
    assert expected == without_times(analyze_photo(path))
    assert without_times(analyze_photo(pixels)) == expected
    frame = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert analyze_photo(frame).faces[0].emotion == "happy"
    assert without_times(analyze_photo(grey)) == without_times(analyze_photo(np.stack([grey] * 3, axis=-1)))
    assert without_times(analyze_photo(pixels[:, ::-1][:, ::-1])) == expected, "arrays need not be contiguous"


def test_exif_orientation_of_a_pil_image_is_applied(tmp_path):
    with Image.open(FILES[analyze_photo]) as image:
        turned, exif = image.transpose(Image.Transpose.ROTATE_90), Image.Exif()
        exif[0x0112] = 6
        turned.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        assert without_times(analyze_photo(image)) == without_times(analyze_photo(tmp_path / "turned.png"))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_pil_images_of_other_modes(mode):
    with Image.open(FILES[analyze_photo]) as image:
        other = (
            image.convert("L").convert("I").point(lambda value: value * 256).convert("I;16")
            if mode == "I;16"
            else image.convert(mode)
        )
    assert len(analyze_photo(other).faces) == 1


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros((8, 8, 3), np.float32), TypeError),
        (np.zeros((8, 8), bool), TypeError),
        (np.zeros((8, 8, 4), np.uint8), ValueError),
        (np.zeros(8, np.uint8), ValueError),
        (np.zeros((0, 8, 3), np.uint8), emotions.ImageError),
        (np.broadcast_to(np.zeros((1, 1), np.uint8), (30_000, 20_000)), emotions.ImageError),
    ],
)
def test_arrays_that_are_no_images(array, error):
    with pytest.raises(error):
        analyze_photo(array)


def test_texts():
    one = analyze_text("I love it!", explain=True, sentences=True)
    assert one.words and one.sentences
    assert [result.emotion for result in analyze_text(["I love it!", ""])] == [one.emotion, None]
    assert analyze_text([]) == []
    for wrong in (None, 7, b"bytes", ["text", 7]):
        with pytest.raises(TypeError, match="str"):
            analyze_text(wrong)


def test_one_default_head_everywhere():
    path = FILES[analyze_photo]
    names = {
        analyze_photo(path).model["name"],
        analyze_video(FILES[analyze_video], fps=1).summary["model"]["name"],
        emotions.FaceAnalyzer().analyze(path).model["name"],
        emotions.VideoAnalyzer(FILES[analyze_video]).summary()["model"]["name"],
    }
    assert names == {f"vgg16/{DEFAULT_HEAD}"} == {"vgg16/mixed"}
    assert analyze_photo(path, head="fer2013").model["name"] == "vgg16/fer2013"


def test_options():
    result = analyze_photo(FILES[analyze_photo], detector="none", landmarks=True, explain=True)
    assert result.detector == "none" and result.faces[0].explanation is not None and len(result.faces[0].landmarks) == 468
    video = analyze_video(FILES[analyze_video], fps=1, landmarks=True)
    assert video.frames[0].faces[0].landmarks and video.to_json()["summary"] == video.summary and FPS == reader.FPS
    with pytest.raises(ValueError, match="fps"):
        analyze_video(FILES[analyze_video], fps=31)


def test_every_public_name_is_there():
    assert [name for name in emotions.__all__ if getattr(emotions, name) is None] == []
    assert set(emotions.__all__) <= set(dir(emotions)) and len(EMOTIONS) == 7
    with pytest.raises(AttributeError, match="no attribute 'read_photo'"):
        emotions.read_photo  # noqa: B018


def test_version_is_the_project_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert emotions.__version__ == project["version"]


def imported(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_imports_are_lazy():
    assert not {"numpy", "cv2", "PIL", "av", "pillow_heif", "ai_edge_litert"} & imported("import emotions")
    assert not {"av", "pillow_heif"} & imported("import emotions; emotions.analyze_photo('tests/data/astronaut.jpg')")
    assert not {"av", "cv2", "PIL"} & imported("import emotions; emotions.analyze_text('hello')")


def test_annotations_are_published():
    assert (ROOT / "emotions" / "py.typed").is_file()
