"""Classify every line of a text file: python examples/text_file.py FILE"""

import sys
from pathlib import Path

from emotions import TextClassifier

classifier = TextClassifier()
for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    result = classifier.predict(line)
    found = ", ".join(result.emotions) or result.emotion or f"nothing ({result.reason})"  # reason: empty or other_language
    print(f"{found:20}  {line}")
