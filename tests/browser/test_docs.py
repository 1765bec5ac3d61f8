"""Swagger UI under the content security policy; `visit` fails on blocked styles and scripts and on requests to other hosts."""

from __future__ import annotations

from playwright.sync_api import expect


def test_every_operation_can_be_tried(visit):
    page = visit("/docs")
    expect(page.locator(".opblock")).to_have_count(8)
    page.get_by_role("button", name="GET /health").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_link_to_the_document_without_javascript(visit):
    page = visit("/docs", java_script_enabled=False)
    expect(page.get_by_role("link", name="/openapi.json")).to_be_visible()
