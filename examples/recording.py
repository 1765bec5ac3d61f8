"""Print the emotion of a speech recording and of its segments: python examples/recording.py FILE"""

import sys

from emotions import analyze_speech

result = analyze_speech(sys.argv[1])
if result.emotion is None:  # too_short, silence, not_speech, narrow_band or noisy
    print(f"no emotion: {result.reason}")
else:
    print(f"{result.emotion} ({result.confidence:.0%}) in {result.seconds:.1f} s")
for segment in result.segments:
    print(f"{segment.start:6.2f} to {segment.end:6.2f} s: {segment.emotion or segment.reason}")
