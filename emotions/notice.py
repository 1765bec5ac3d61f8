"""Notice for people whose faces or voices are analyzed."""

NOTICE = (
    "This page runs an AI emotion recognition system (EU AI Act, Art. 50(3)). It analyzes every face or voice you give it; "
    "use it on other people only with their knowledge."
)
"""Since 2 August 2026 deployers of an emotion recognition system in the European Union must inform the people exposed to it,
clearly and at the first exposure at the latest (Regulation (EU) 2024/1689, Article 50(3))."""
