"""Use the library in a Flask application of your own: flask --app examples/flask_app.py run

curl -F photo=@static/samples/obama.jpg http://127.0.0.1:5000/faces
"""

from flask import Flask, jsonify, request

from emotions import EmotionDetectorError, FaceAnalyzer

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 2**20
analyzer = FaceAnalyzer()  # one for all requests: models are loaded once and shared by threads


@app.post("/faces")
def faces():
    try:
        result = analyzer.analyze(request.files["photo"].read())
    except EmotionDetectorError as error:
        return jsonify(error=str(error)), 422
    return jsonify([{"emotion": face.emotion, "confidence": face.confidence} for face in result.faces])
