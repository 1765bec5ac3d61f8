"""Print the faces of one photo: python examples/one_photo.py PHOTO"""

import sys

from emotions import analyze_photo

result = analyze_photo(sys.argv[1])
print(f"{result.width}x{result.height} pixels, {len(result.faces)} faces")
for face in result.faces:  # the largest first
    print(f"face {face.id} at {face.box.left:.0f}, {face.box.top:.0f}: {face.emotion} ({face.confidence:.0%})")
    if face.unsure:  # turned, small, blurred, covered or low_confidence
        print(f"  unreliable: {face.unsure}")
