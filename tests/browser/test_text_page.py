"""Page /text in a browser."""

from __future__ import annotations

from playwright.sync_api import expect


def test_text_is_classified_and_its_words_are_marked(visit):
    page = visit("/text")
    page.get_by_label("Your text").fill("Honestly, I love this film!")
    page.get_by_role("button", name="Analyze text").click()
    expect(page.locator("#headline")).to_have_text("Happy")
    expect(page.locator("table.bars tbody tr")).to_have_count(7)
    expect(page.locator("mark.marked-3")).to_have_text("love")
    expect(page.locator(".problem")).to_have_count(0)
    expect(page.get_by_label("Your text")).to_have_value("Honestly, I love this film!")


def test_sample_text(visit):
    page = visit("/text", java_script_enabled=False)
    page.locator("button[value=thanks]").click()
    expect(page.locator("#headline")).to_have_text("Happy")


def test_sarcastic_sample_says_why_it_fails(visit):
    page = visit("/text")
    page.locator("button[value=sarcastic]").click()
    expect(page.locator("#headline")).to_have_text("Happy")
    expect(page.locator(".warning")).to_contain_text("meant sarcastically, and the result is wrong")


def test_results_come_back_with_the_history(visit):
    page = visit("/text")
    page.get_by_label("Your text").fill("Honestly, I love this film!")
    page.get_by_role("button", name="Analyze text").click()
    expect(page.locator("#headline")).to_have_text("Happy")
    page.locator("button[value=furious]").click()
    expect(page.locator("#headline")).to_have_text("Anger")
    page.reload()
    expect(page.locator("#headline")).to_have_text("Anger")
    page.go_back()
    expect(page.locator("#headline")).to_have_text("Happy")
    expect(page.get_by_label("Your text")).to_have_value("Honestly, I love this film!")
    page.go_back()
    expect(page.locator("#headline")).to_have_count(0)


def test_an_unreachable_server_loses_no_text(visit):
    page = visit("/text", expected="ERR_INTERNET_DISCONNECTED")
    page.get_by_label("Your text").fill("Honestly, I love this film!")
    page.context.set_offline(True)
    page.get_by_role("button", name="Analyze text").click()
    expect(page.locator(".problem h1")).to_have_text("No response")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#headline")).to_have_text("Happy")
