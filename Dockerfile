# One image for every process; docker-compose.yml says which it runs.
FROM python:3.11-slim AS build
WORKDIR /app
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# `--build-arg LOCK=requirements-extras.lock` adds the clients of Kafka, RabbitMQ and SQS.
ARG LOCK=requirements.lock
COPY requirements*.lock ./
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r "$LOCK"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /app marquee && install -d -o marquee /data
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 OTT_PRODUCTION=1 OTT_DATA_DIR=/data
COPY --from=build /venv /venv
COPY . .
# Collecting files needs settings that are complete, not ones that lead anywhere.
RUN OTT_SECRET_KEY=build OTT_ALLOWED_HOSTS=build DATABASE_URL=postgres://build/build REDIS_URL=redis://build \
    python manage.py collectstatic --noinput && python -m compileall -q .
USER marquee
VOLUME /data
EXPOSE 8000
CMD ["uvicorn", "ott.asgi:application", "--host=0.0.0.0", "--port=8000", "--loop=ott.loop:Loop", \
     "--http=notifications.live.doorstep:DoorstepProtocol", "--ws=notifications.live.server:FramesProtocol", \
     "--ws-max-size=1048576", "--ws-per-message-deflate=false", \
     "--ws-ping-interval=0", "--no-access-log", "--log-level=warning", "--timeout-graceful-shutdown=10"]
