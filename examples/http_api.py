"""Send a photo to a running server (`make run`), without any package: python examples/http_api.py PHOTO [SERVER]"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

server = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080"
request = urllib.request.Request(
    f"{server}/api/v1/image?landmarks=true", Path(sys.argv[1]).read_bytes(), {"Content-Type": "image/*"}
)
try:
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
except urllib.error.HTTPError as error:  # the body is application/problem+json
    problem = json.load(error)
    sys.exit(f"{problem['code']}: {problem['detail']}")
for face in answer["faces"]:
    print(face["box"], face["emotion"], face["confidence"], face.get("pose"))
