# Rendered by `plimsoll render dockerfile` from compose.yaml; run it again after a change.
#
# Build it from the project's directory:
#
#     docker build -f docker/frontend.Dockerfile -t ideas-frontend .
#
# `--target` chooses slim, debug, dev or test instead of production.

# What every stage stands on.
FROM node:24-trixie-slim AS base
ENV LANG=C.UTF-8
RUN groupadd --gid 65532 app \
    && useradd --uid 65532 --gid app --create-home --skel /dev/null --home-dir /home/app --shell /usr/sbin/nologin app

# Who installs the packages.
FROM base AS tools

# Its packages, from the lock file; made anew only when that changes.
# A private registry: --secret id=npmrc,src=$HOME/.npmrc.
FROM tools AS dependencies
WORKDIR /app
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=cache,target=/root/.local/share/pnpm \
    --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=bind,source=frontend/package.json,target=/app/package.json,rw \
    --mount=type=bind,source=frontend/package-lock.json,target=/app/package-lock.json,rw \
    npm ci --include=dev || npm install --include=dev --no-save

# The application, built.
FROM dependencies AS builder
COPY frontend/ /app/
WORKDIR /app
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=cache,target=/root/.local/share/pnpm \
    --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm prune --omit=dev --no-save

# For development: a server that reloads what changes.
FROM dependencies AS dev
COPY --chown=65534:65534 frontend/ /app/
RUN chown 65534:65534 /app \
    && mkdir -p /app/node_modules && chown 65534:65534 /app/node_modules
WORKDIR /app
ENV HOME=/tmp NODE_ENV=development
USER nobody
EXPOSE 3000
CMD ["npm", "run", "dev"]

# The project's own tests, inside its image.
FROM builder AS test
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=cache,target=/root/.local/share/pnpm \
    --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --include=dev || npm install --include=dev --no-save
ENV CI=true HOME=/home/app
USER 65532:65532
CMD ["npm", "run", "test"]

# How the application runs.
FROM base AS runtime
ENV HOME=/home/app NODE_ENV=production
WORKDIR /app
USER 65532:65532
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "-e", "require('net').connect(3000, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
CMD ["node", "src/server.js"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=frontend \
    org.opencontainers.image.vendor=ideas
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The image of production without the package manager.
FROM runtime AS slim
USER 0
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn*
USER 65532:65532
COPY --from=builder /app /app

# The image of production with a debugger and tools to look around.
FROM runtime AS debug
USER 0
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends curl procps strace
USER 65532:65532
EXPOSE 9229
ENV NODE_OPTIONS=--inspect=0.0.0.0:9229
COPY --from=builder /app /app

# What is published and runs.
FROM runtime AS production
COPY --from=builder /app /app
