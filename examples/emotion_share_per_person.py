"""Print how often each person of a video shows one emotion: python examples/emotion_share_per_person.py VIDEO [EMOTION]"""

import sys

from emotions import EMOTIONS, analyze_video

emotion = sys.argv[2] if len(sys.argv) > 2 else "happy"
if emotion not in EMOTIONS:
    sys.exit(f"one of {', '.join(EMOTIONS)} is needed")
summary = analyze_video(sys.argv[1]).summary
print(f"{summary['frames']} frames in {summary['duration']:.1f} s")
for person in summary["people"]:
    seconds = f"{person['first']:.1f} to {person['last']:.1f} s"
    print(f"person {person['id']}, {seconds}: {emotion} in {person['shares'][emotion]:.0%} of {person['seconds']:.1f} s")
