"""Track the faces before a webcam with OpenCV: python examples/webcam_opencv.py [CAMERA NUMBER or VIDEO FILE]

Prints a line for each frame until Ctrl-C. For a window, install opencv-python in place of opencv-python-headless and use
cv2.imshow.
"""

import sys
import time

import cv2

from emotions import FaceAnalyzer, FaceTracker, open_image

source = sys.argv[1] if len(sys.argv) > 1 else "0"
camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
if not camera.isOpened():
    sys.exit(f"cannot open {source}")
analyzer, tracker = FaceAnalyzer(), FaceTracker()
start = time.monotonic()
try:
    while True:
        read, frame = camera.read()
        if not read:  # the end of a video file
            break
        image = open_image(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))  # OpenCV gives BGR
        seconds = time.monotonic() - start
        result = tracker.update(image, analyzer.analyze(image), time=seconds)
        faces = "; ".join(f"person {face.id}: {face.emotion} ({face.confidence:.0%})" for face in result.faces)
        print(f"{seconds:6.2f} s  {faces or 'no face'}")
except KeyboardInterrupt:
    pass
finally:
    camera.release()
