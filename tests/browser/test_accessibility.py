"""Accessibility: no JavaScript, keyboard only, phones, light and dark scheme, contrast."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from scripts.deploy.traffic import moving_face
from tests.browser.conftest import DESK, PHONE
from tests.browser.videos import write_video

# Contrast of every visible text against its background (WCAG 2.2, 1.4.3), blended over all ancestors.
LOW_CONTRAST_TEXTS = """() => {
    const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return {rgb: [r, g, b], a}; };
    const light = (rgb) => rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const over = (top, below) => top.rgb.map((c, i) => c * top.a + below[i] * (1 - top.a));
    const behind = (element) => {
        if (!element) return [255, 255, 255];
        return over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement));
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const hidden = element.closest(".visually-hidden, .visually-hidden-focusable, svg");
        if (!walker.currentNode.data.trim() || !element.checkVisibility() || hidden) continue;
        const style = getComputedStyle(element), ground = behind(element);
        const [a, b] = [light(over(parse(style.color), ground)), light(ground)].sort((x, y) => y - x);
        const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < (large ? 3 : 4.5)) low.push(`${walker.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
    }
    return low;
}"""


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "face.mp4", moving_face(15), "h264")


def submit_without_script(page: Page) -> None:
    """Press the button that is there without JavaScript; with it the photo has been sent."""
    button = page.locator("#photo-form [type=submit]")
    if button.count():
        button.click()


def set_state(page: Page, name: str, video=None) -> None:
    """Bring the page into the state `name`."""
    if name == "camera":
        page.get_by_role("button", name="Start the camera").click()
        expect(page.locator(".track-panel")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
    if name == "unplayable":
        page.locator("#video-file").set_input_files({"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"words"})
        expect(page.locator("#error-panel")).to_be_visible()
    if name in ("ready", "timeline"):
        page.locator("#video-file").set_input_files(video)
        expect(page.locator("#ready")).to_be_visible()
    if name == "timeline":
        page.locator("#analyze").click()
        expect(page.locator("#summary")).to_be_visible()
    if name in ("result", "several"):
        page.locator(f"button[value={'collins' if name == 'result' else 'friends'}]").click()
        page.wait_for_selector("#headline")
    if name == "explained":
        page.locator("button[value=collins]").click()
        page.locator(".explain-form button").click()
        page.wait_for_selector(".explanation figure")
    if name == "faceless":
        stream = BytesIO()
        Image.new("RGB", (200, 150), "grey").save(stream, "PNG")
        page.locator("#file").set_input_files({"name": "grey.png", "mimeType": "image/png", "buffer": stream.getvalue()})
        submit_without_script(page)
        page.locator("details.whole-image > summary").click()
    if name == "problem":
        page.locator("#file").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"words"})
        submit_without_script(page)
        page.wait_for_selector(".problem")


STATES = (
    "home",
    "result",
    "explained",
    "several",
    "faceless",
    "problem",
    "about",
    "models",
    "missing",
    "live",
    "camera",
    "video",
    "unplayable",
    "ready",
    "timeline",
)
PATHS = {
    "about": "/about",
    "models": "/about/models",
    "missing": "/nothing-here",
    "live": "/live",
    "camera": "/live",
} | dict.fromkeys(("video", "unplayable", "ready", "timeline"), "/video")


@pytest.mark.parametrize("state", STATES)
def test_contrast_and_page_width(visit, video, state):
    page = visit(PATHS.get(state, "/"))
    set_state(page, state, video)
    for viewport in (DESK, PHONE):
        page.set_viewport_size(viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no transitions during the measurement
            assert page.evaluate(LOW_CONTRAST_TEXTS) == [], (scheme, viewport)


def test_dark_scheme_without_javascript(visit):
    page = visit(color_scheme="dark", java_script_enabled=False)
    red, green, blue = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(red, green, blue) < 64


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_everything_works_without_javascript(visit, portrait, viewport):
    page = visit(viewport=viewport, java_script_enabled=False)
    expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()  # needs a script
    page.get_by_label("Choose a photo").set_input_files(portrait)
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Also explain each prediction").check()
    page.get_by_role("button", name="Analyze photo").click()
    expect(page.locator("table.bars tbody tr")).to_have_count(7)
    expect(page.get_by_text("Image regions behind “Happy”")).to_be_visible()
    page.get_by_role("button", name="No, it is Fear").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="Analyze another photo").click()
    set_state(page, "faceless")
    expect(page.locator("#headline")).to_have_text("No face found")
    expect(page.locator("table.bars")).to_be_visible()


def test_a_problem_without_javascript_keeps_the_form(visit):
    page = visit(java_script_enabled=False)
    set_state(page, "problem")
    expect(page.get_by_role("heading", name="Not a picture")).to_be_visible()
    page.locator("button[value=collins]").click()
    expect(page.locator("table.bars")).to_be_visible()


def press_until(page: Page, test: str, key: str = "Tab", max_presses: int = 60) -> None:
    """Press `key` until the focused element passes `test`, and check the focus ring of all elements on the way."""
    for _ in range(max_presses):
        page.keyboard.press(key)
        if page.evaluate(f"(() => {{ const focused = document.activeElement; return {test}; }})()"):
            return
        ring = page.evaluate(
            "document.activeElement === document.body || parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"
        )
        assert ring, page.evaluate("document.activeElement.outerHTML")
    pytest.fail(f"not reached: {test}")


def test_keyboard_only(visit):
    page = visit()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press_until(page, "focused.value === 'friends'")
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_be_focused()
    press_until(page, "focused.matches('.face > summary')")
    page.keyboard.press("Enter")
    expect(page.locator("table.bars").first).to_be_hidden()
    page.keyboard.press("Space")
    press_until(page, "focused.textContent === 'Is this correct?'")
    page.keyboard.press("Enter")
    press_until(page, "focused.name === 'said'")
    page.keyboard.press("Enter")
    expect(page.locator(".feedback .note")).to_be_focused()


def test_accessibility_tree_of_a_result(visit):
    page = visit()
    set_state(page, "result")
    answer = page.locator("#headline").inner_text()
    tree = page.locator("#result").aria_snapshot()
    assert f'heading "{answer.replace(chr(0xA0), " ")}" [level=1]' in tree.replace("\xa0", " ")
    assert 'img "Your photo with 1 face framed' in tree
    assert 'table "Probability of each emotion"' in tree
    assert 'group "Is this correct?"' in tree
    for label in page.locator("main button:visible, main input:visible").evaluate_all(
        "all => all.map((e) => e.labels?.[0]?.innerText || e.innerText || e.getAttribute('aria-label') || '')"
    ):
        assert label.strip()


def test_keyboard_only_on_live_and_video_page(visit, video):
    page = visit("/live")
    press_until(page, "focused.id === 'start'")
    page.keyboard.press("Enter")
    expect(page.locator(".track-panel")).to_be_visible()
    for wanted in ("pause", "snapshot", "stop", "bars", "landmarks", "csv", "json", "reset"):
        press_until(page, f"focused.id === '{wanted}'")
    page.keyboard.press("Enter")
    page = visit("/video")
    press_until(page, "focused.id === 'video-file'")
    set_state(page, "ready", video)
    expect(page.locator("#analyze")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#timeline-title")).to_be_focused()
    for wanted in ("focused.matches('.scroll')", "focused.matches('.limits a')"):
        press_until(page, wanted)
