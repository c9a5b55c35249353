# Rendered by `plimsoll render dockerfile` from what the source tree says; run it again after a change.
#
# Build it from the project's directory:
#
#     docker build -f docker/rewards.Dockerfile -t flat-rewards .
#
# `--target` chooses slim, debug, dev or test instead of production.
#
# A private package index: --secret id=uv,src=uv.toml and --secret id=pip,src=pip.conf.

# What every stage stands on.
FROM python:3.13-slim-trixie AS base
ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VIRTUAL_ENV=/app/.venv
ENV PATH="/app/.venv/bin:${PATH}"
RUN groupadd --gid 65532 app \
    && useradd --uid 65532 --gid app --create-home --skel /dev/null --home-dir /home/app --shell /usr/sbin/nologin app
WORKDIR /app

# What the application needs, from its lock file; made anew only when that changes.
FROM base AS dependencies
ENV PIP_CACHE_DIR=/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_CACHE_DIR=/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/app/.venv \
    UV_PYTHON_DOWNLOADS=never
# For what has no wheel for this Python and processor. None of it gets into an image that runs.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends build-essential
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    pip install uv==0.13.8
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=bind,source=requirements.txt,target=/app/requirements.txt \
    uv venv /app/.venv \
    && uv pip install --requirements requirements.txt

# The application beside its dependencies.
FROM dependencies AS builder
COPY . ./

# For development: its tools, a debugger, and a server that reloads what changes.
FROM dependencies AS dev
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=bind,source=requirements-dev.txt,target=/app/requirements-dev.txt \
    --mount=type=bind,source=requirements.txt,target=/app/requirements.txt \
    uv pip install debugpy pytest --requirements requirements-dev.txt
COPY --chown=65534:65534 . ./
ENV HOME=/tmp UV_CACHE_DIR=/tmp/uv
WORKDIR /app
USER nobody
EXPOSE 8103
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8103/health', timeout=4)"]
CMD ["python", "-m", "uvicorn", "rewards:app", "--host", "0.0.0.0", "--port", "8103", "--reload"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=rewards \
    org.opencontainers.image.vendor=flat
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The project's own tests, inside its image.
FROM dev AS test
HEALTHCHECK NONE
CMD ["python", "-m", "pytest", "-p", "no:cacheprovider"]

# The environment without what only speeds up the first start or serves compilers.
FROM dependencies AS lean
RUN find /app/.venv -depth -type d -name __pycache__ -exec rm -rf {} + \
    && find /app/.venv -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' \) -delete

# How the application runs.
FROM base AS runtime
ENV HOME=/home/app
WORKDIR /app
USER 65532:65532
EXPOSE 8103
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8103/health', timeout=4)"]
CMD ["python", "-m", "uvicorn", "rewards:app", "--host", "0.0.0.0", "--port", "8103"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=rewards \
    org.opencontainers.image.vendor=flat
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The smallest image; its first start is slower.
FROM runtime AS slim
COPY --from=lean /app/.venv /app/.venv
COPY . /app/

# The image of production with a debugger and tools to look around.
FROM runtime AS debug
USER 0
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends curl procps strace
COPY --from=dependencies /app/.venv /app/.venv
COPY . /app/
RUN --mount=type=cache,target=/cache \
    --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=uv,target=/etc/uv/uv.toml \
    --mount=type=bind,from=dependencies,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy uv pip install debugpy
USER 65532:65532
EXPOSE 5678
CMD ["python", "-Xfrozen_modules=off", "-m", "debugpy", "--listen", "0.0.0.0:5678", "-m", "uvicorn", "rewards:app", "--host", "0.0.0.0", "--port", "8103"]

# What is published and runs.
FROM runtime AS production
COPY --from=dependencies /app/.venv /app/.venv
COPY . /app/
