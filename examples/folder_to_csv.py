"""Analyze all images of a folder into a CSV file, one row for each face: python examples/folder_to_csv.py FOLDER OUT.csv"""

import csv
import sys
from pathlib import Path

from emotions import EMOTIONS, EmotionDetectorError, FaceAnalyzer

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".bmp", ".gif", ".tif", ".tiff"}

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
analyzer = FaceAnalyzer()  # loads the models once for all images
with out.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "face", "left", "top", "width", "height", "emotion", "confidence", *EMOTIONS, "error"])
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            faces = analyzer.analyze(path).faces
        except EmotionDetectorError as error:  # one damaged image does not end the run
            writer.writerow([path, *[""] * (7 + len(EMOTIONS)), error])
            continue
        for face in faces:
            box = [round(value) for value in (face.box.left, face.box.top, face.box.width, face.box.height)]
            probabilities = [f"{value:.4f}" for value in face.probabilities]
            writer.writerow([path, face.id, *box, face.emotion, f"{face.confidence:.4f}", *probabilities, ""])
print(f"written: {out}")
