"""Code samples of the OpenAPI document: each operation called with curl, Python and JavaScript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

BASE_URL = "http://127.0.0.1:8080"
"""Server that the samples call; the page /docs shows its own address in this place."""
NDJSON = "application/x-ndjson"

PYTHON = """\
import {imports}

{request}response.raise_for_status()
{output}
"""
PYTHON_FILE = """\
with open("{name}", "rb") as file:
    response = requests.post("{url}", files={{"file": file}}{stream})
"""
PYTHON_FILES = """\
files = [("file", open(name, "rb")) for name in ({names})]
response = requests.post("{url}", files=files{stream})
"""
PYTHON_LINES = """\
for line in response.iter_lines():
    print(json.loads(line))"""

JAVASCRIPT_FILES = """\
import {{ openAsBlob }} from "node:fs"; // in a page, take the files of an <input type="file">

const body = new FormData();
{appends}
const response = await fetch("{url}", {{ method: "POST", body }});
"""
JAVASCRIPT_JSON = """\
const response = await fetch("{url}", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json" }},
  body: JSON.stringify({body}),
}});
"""
JAVASCRIPT_CHECK = "if (!response.ok) throw new Error((await response.json()).detail);\n"
JAVASCRIPT_LINES = """\
let rest = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\\n");
  rest = lines.pop();
  for (const line of lines) console.log(JSON.parse(line));
}
"""


def code_samples(path: str, operation: dict[str, Any], files: Sequence[str], body: Any) -> list[dict[str, str]]:
    """Return the samples of an operation as `x-codeSamples`: a request with `files`, else with the JSON `body`, else a GET."""
    url = BASE_URL + path
    success = next(iter(operation["responses"].values()))
    kind = next(iter(success.get("content", {"": None})))
    sources = {
        ("Shell", "curl"): curl(url, files, body, kind),
        ("Python", "Python"): python(url, files, body, kind),
        ("JavaScript", "JavaScript"): javascript(url, files, body, kind),
    }
    return [{"lang": lang, "label": label, "source": source} for (lang, label), source in sources.items()]


def curl(url: str, files: Sequence[str], body: Any, kind: str) -> str:
    """Return a command for a POSIX shell; lines of NDJSON are shown as they arrive."""
    options = "-N " if kind == NDJSON else ""
    options += "".join(f"-F file=@{name} " for name in files)
    if not files and body is not None:
        quoted = json.dumps(body).replace("'", "'\\''")
        options += f"-H 'Content-Type: application/json' -d '{quoted}' "
    return f"curl {options}{url}"


def python(url: str, files: Sequence[str], body: Any, kind: str) -> str:
    """Return a program that uses the package `requests`."""
    stream = ", stream=True" if kind == NDJSON else ""
    if len(files) > 1:
        names = ", ".join(f'"{name}"' for name in files)
        request = PYTHON_FILES.format(names=names, url=url, stream=stream)
    elif files:
        request = PYTHON_FILE.format(name=files[0], url=url, stream=stream)
    elif body is not None:
        request = f'response = requests.post("{url}", json={body!r})\n'
    else:
        request = f'response = requests.get("{url}")\n'
    output = {NDJSON: PYTHON_LINES, "": "print(response.status_code)"}.get(kind, "print(response.json())")
    imports = "json\n\nimport requests" if kind == NDJSON else "requests"
    return PYTHON.format(imports=imports, request=request, output=output)


def javascript(url: str, files: Sequence[str], body: Any, kind: str) -> str:
    """Return an ES module for Node.js; all but the reading of files is the same in a page."""
    if files:
        appends = "\n".join(f'body.append("file", await openAsBlob("{name}"), "{name}");' for name in files)
        request = JAVASCRIPT_FILES.format(appends=appends, url=url)
    elif body is not None:
        request = JAVASCRIPT_JSON.format(url=url, body=json.dumps(body))
    else:
        request = f'const response = await fetch("{url}");\n'
    output = {NDJSON: JAVASCRIPT_LINES, "": "console.log(response.status);\n"}.get(kind, "console.log(await response.json());\n")
    return request + JAVASCRIPT_CHECK + output
