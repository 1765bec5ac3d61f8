"""Measure the model on your own labelled images, in a folder for each emotion: python examples/own_data.py FOLDER

    FOLDER/happy/1.jpg, FOLDER/sad/2.png, ...

To train on them instead, see docs/training.md.
"""

import sys
from collections import Counter
from pathlib import Path

from emotions import EMOTIONS, EmotionDetectorError, FaceAnalyzer

folder = Path(sys.argv[1])
analyzer = FaceAnalyzer()
right, total, without = Counter(), Counter(), 0
for emotion in EMOTIONS:
    for path in sorted(folder.glob(f"{emotion}/*")):
        try:
            faces = analyzer.analyze(path).faces
        except EmotionDetectorError as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        if not faces:
            without += 1
            continue
        total[emotion] += 1
        right[emotion] += faces[0].emotion == emotion  # the largest face
if not total:
    sys.exit(f"no face found; folders are called {', '.join(EMOTIONS)}")
for emotion in total:
    print(f"{emotion:10} recall {right[emotion] / total[emotion]:6.1%} of {total[emotion]} faces")
print(f"accuracy {right.total() / total.total():.1%}, mean recall {sum(right[e] / total[e] for e in total) / len(total):.1%}")
print(f"{without} pictures without a detected face")
