"""README's animation is recorded on the pages as they are."""

from __future__ import annotations

import pytest

from scripts.docs.demo import Recorder, record_photo


class SlowRecorder(Recorder):
    """A recorder that is slower than the server: a result that could appear has appeared before a screenshot is taken."""

    def take(self, page, milliseconds):
        page.wait_for_timeout(500)
        super().take(page, milliseconds)


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "headline"), [("collins.jpg", "Happy"), ("friends.png", "4 faces")])
def test_a_dropped_photo_is_recorded_until_its_result(visit, site, sample, headline):
    page, recorder = visit(), SlowRecorder()
    record_photo(page, f"{site}/", recorder, sample)
    assert headline in page.locator("#headline").inner_text()
    assert len(recorder.images) == len(recorder.durations) == 7
    assert recorder.images[-1].tobytes() != recorder.images[-2].tobytes()
