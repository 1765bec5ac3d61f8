# The web server in a container, with the start command of the Procfile:
#
#     docker build -t emotion-detector .
#     docker run --rm --read-only --tmpfs /tmp --memory 512m -p 127.0.0.1:8080:8080 emotion-detector
#
# It runs as an unprivileged user and writes to /tmp only. Settings are environment variables (docs/deploy.md).
FROM python:3.13-slim

ENV PORT=8080 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

COPY gunicorn.conf.py ./
COPY main.py ./
COPY emotions ./emotions
COPY web ./web
COPY templates ./templates
COPY static ./static
COPY models ./models
RUN python -m compileall -q gunicorn.conf.py main.py emotions web

USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=9)"]
CMD exec env MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=8388608 gunicorn --bind :$PORT main:app
