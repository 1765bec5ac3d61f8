"""Swagger UI under the content security policy; `visit` fails on blocked styles and scripts and on requests to other hosts."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESK, PHONE
from web import create_app
from web.api.openapi.examples import SAMPLE_FILES


@pytest.fixture(scope="module")
def operations() -> dict[str, dict]:
    """Id -> description of every operation of the document."""
    document = create_app().test_client().get("/openapi.json").json
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def opened(page: Page, name: str) -> Locator:
    """Open an operation and make it ready to be tried."""
    block = page.locator(f"[id$=-{name}].opblock")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def execute(block: Locator) -> str:
    """Send the request and return the status of the answer."""
    block.get_by_role("button", name="Execute").click()
    status = block.locator(".live-responses-table .response-col_status").last
    expect(status).to_have_text(re.compile(r"^\d{3}"), timeout=60_000)
    return status.inner_text()[:3]


@pytest.mark.slow
def test_every_operation_works_at_first_click(visit, operations):
    page = visit("/docs")
    expect(page.locator(".opblock")).to_have_count(len(operations))
    requests = []
    page.on("request", lambda request: requests.append(request))
    for name, operation in operations.items():
        block = opened(page, name)
        assert execute(block) == next(iter(operation["responses"])), name
        assert "?" not in requests[-1].url  # no option is chosen that nobody chose
        for file in SAMPLE_FILES.get(name, ()):
            expect(block.locator(".sample-note")).to_contain_text(file)
            expect(block.locator(".curl")).to_contain_text(f"file=@{file}")
        block.locator(".opblock-summary-control").click()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "expected"), [("image/*", "image/jpeg"), ("application/octet-stream", "application/octet-stream")]
)
def test_sample_as_the_body_alone(visit, kind, expected):
    page = visit("/docs")
    block = opened(page, "readImage")
    block.get_by_label("Request content type").select_option(kind)
    with page.expect_request("**/api/v1/image") as sent:
        assert execute(block) == "200"
    assert sent.value.headers["content-type"] == expected
    expect(block.locator(".live-responses-table")).to_contain_text('"faces"')


@pytest.mark.slow
def test_chosen_file_and_options_are_sent(visit, portrait):
    page = visit("/docs")
    block = opened(page, "readImage")
    block.get_by_label("file").set_input_files(portrait)
    block.get_by_label("detector").select_option("none")
    block.get_by_label("landmarks").select_option("true")
    assert execute(block) == "200"
    expect(block.locator(".curl")).to_contain_text("detector=none")
    expect(block.locator(".curl")).to_contain_text(portrait.name)
    expect(block.locator(".live-responses-table")).to_contain_text('"width": 400')


def test_chosen_files_are_sent(visit, portrait):
    page = visit("/docs")
    block = opened(page, "readImages")
    block.get_by_label("file").first.set_input_files(portrait)
    assert execute(block) == "200"
    expect(block.locator(".live-responses-table")).to_contain_text('"name": "astronaut.jpg"')
    expect(block.locator(".live-responses-table")).not_to_contain_text("obama.jpg")


@pytest.mark.slow
def test_code_samples_call_this_server(visit, site, operations):
    page = visit("/docs")
    for name, operation in operations.items():
        block = page.locator(f"[id$=-{name}].opblock")
        block.locator(".opblock-summary-control").click()
        for sample in operation["x-codeSamples"]:
            details = block.locator("details", has=page.locator("summary", has_text=re.compile(f"^{sample['label']}$")))
            if not details.locator("code").is_visible():
                details.locator("summary").click()
            expect(details.locator("code")).to_be_visible()
            assert details.locator("code").inner_text().count(site) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(DESK, "light", id="light-desk", marks=pytest.mark.slow),
        pytest.param(PHONE, "light", id="light-phone"),
        pytest.param(DESK, "dark", id="dark-desk", marks=pytest.mark.slow),
        pytest.param(PHONE, "dark", id="dark-phone", marks=pytest.mark.slow),
    ],
)
def test_accessibility(visit, viewport, scheme):
    """Axe finds nothing: with all closed, in the dialog for a key, and with the forms, answers and samples of two operations."""
    page = visit("/docs", viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator(".opblock").first).to_be_visible()
    check(page)
    page.get_by_role("button", name="Authorize").click()
    check(page)
    page.get_by_role("button", name="Close").first.click()
    for name in ("readImage", "readText"):
        block = opened(page, name)
        assert execute(block) == "200"
    page.wait_for_timeout(500)
    check(page)


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], node["target"], node["any"][:1]) for rule in found for node in rule["nodes"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_scheme_is_followed(visit):
    page = visit("/docs", color_scheme="light")
    block = page.locator(".opblock").first
    light = block.evaluate("element => getComputedStyle(element).backgroundColor")
    page.emulate_media(color_scheme="dark")
    expect(block).not_to_have_css("background-color", light)


def test_link_to_the_document_without_javascript(visit):
    page = visit("/docs", java_script_enabled=False)
    expect(page.get_by_role("link", name="/openapi.json")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
