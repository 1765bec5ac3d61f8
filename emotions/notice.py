"""Notice for people whose faces or voices are analyzed."""

NOTICE = (
    "This page runs an AI emotion recognition system (EU AI Act, Art. 50(3)). It analyzes every face or voice you give it; "
    "use it on other people only with their knowledge."
)
"""Since 2 August 2026 deployers of an emotion recognition system in the European Union must inform the people exposed to it,
clearly and at the first exposure at the latest (Regulation (EU) 2024/1689, Article 50(3))."""

MAX_NOTICE = 500
"""Characters of a notice of the deployer's own."""


def parse_notice(text: str) -> str:
    """Return the notice that the setting NOTICE asks for: its text, or nothing for `off`.

    Raises:
        ValueError: The text has more than MAX_NOTICE characters or more than a line.
    """
    if len(text) > MAX_NOTICE or not text.isprintable():
        raise ValueError(f"a line of at most {MAX_NOTICE} characters is needed")
    return "" if text == "off" else text
