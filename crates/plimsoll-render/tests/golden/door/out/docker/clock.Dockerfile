# Rendered by `plimsoll render dockerfile` from compose.yaml; run it again after a change.
#
# Build it from the project's directory:
#
#     docker build -f docker/clock.Dockerfile -t in-clock .
#
# `--target` chooses slim, debug, dev or test instead of production.
#
# A private package index: --secret id=pip,src=pip.conf.

# What every stage stands on.
FROM python:3.13-slim-trixie AS base
ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 65532 app \
    && useradd --uid 65532 --gid app --create-home --skel /dev/null --home-dir /home/app --shell /usr/sbin/nologin app
WORKDIR /app

# For development: its tools, a debugger, and a server that reloads what changes.
FROM base AS dev
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    PIP_CACHE_DIR=/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore pip install debugpy pytest
COPY --chown=65534:65534 clock/ ./
ENV HOME=/tmp
WORKDIR /app
USER nobody
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 4)"]
CMD ["python", "-m", "main"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=clock \
    org.opencontainers.image.vendor=in
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The project's own tests, inside its image.
FROM dev AS test
HEALTHCHECK NONE
CMD ["python", "-m", "pytest", "-p", "no:cacheprovider"]

# How the application runs.
FROM base AS runtime
ENV HOME=/home/app
WORKDIR /app
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 4)"]
CMD ["python", "-m", "main"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=clock \
    org.opencontainers.image.vendor=in
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The same as production, of which nothing can be left out.
FROM runtime AS slim
COPY clock/ /app/

# The image of production with a debugger and tools to look around.
FROM runtime AS debug
USER 0
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends curl procps strace
COPY clock/ /app/
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    PIP_CACHE_DIR=/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore pip install debugpy
USER 65532:65532
EXPOSE 5678
CMD ["python", "-Xfrozen_modules=off", "-m", "debugpy", "--listen", "0.0.0.0:5678", "-m", "main"]

# What is published and runs.
FROM runtime AS production
COPY clock/ /app/
