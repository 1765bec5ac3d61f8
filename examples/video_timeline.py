"""Print a video's timeline, two frames a second: python examples/video_timeline.py VIDEO"""

import sys

from emotions import VideoAnalyzer

with VideoAnalyzer(sys.argv[1], fps=2) as video:
    for frame in video:  # one frame in memory at a time, whatever the length of the video
        faces = ", ".join(f"person {face.id} {face.emotion} ({face.confidence:.0%})" for face in frame.result.faces)
        print(f"{frame.time:7.2f} s  {faces or 'no face'}")
