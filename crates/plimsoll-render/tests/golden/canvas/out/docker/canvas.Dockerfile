# Rendered by `plimsoll render dockerfile` from what the source tree says; run it again after a change.
#
# Build it from the project's directory:
#
#     docker build -f docker/canvas.Dockerfile -t canvas-canvas .
#
# `--target` chooses slim, debug, dev or test instead of production.

# What builds the pages.
FROM node:24-trixie-slim AS base

# Its packages, from the lock file; made anew only when that changes.
# A private registry: --secret id=npmrc,src=$HOME/.npmrc.
FROM base AS dependencies
WORKDIR /app
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=cache,target=/root/.local/share/pnpm \
    --mount=type=cache,target=/root/.bun/install/cache \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    --mount=type=bind,source=apps/canvas/package.json,target=/app/package.json,rw \
    npm install --include=dev --no-package-lock

# The pages.
FROM dependencies AS builder
# Read by the pages, with defaults of their own; `--build-arg` sets them.
ARG VITE_NAME
COPY apps/canvas/ /app/
WORKDIR /app
RUN npm run build

# For development: the bundler's own server, which shows a change at once.
FROM dependencies AS dev
COPY --chown=65534:65534 apps/canvas/ /app/
RUN chown 65534:65534 /app \
    && mkdir -p /app/node_modules && chown 65534:65534 /app/node_modules
WORKDIR /app
ENV HOME=/tmp NODE_ENV=development
ENV PORT=8080 \
    HOST=0.0.0.0
USER nobody
EXPOSE 8080
HEALTHCHECK NONE
CMD ["npm", "run", "dev", "--", "--host", "0.0.0.0", "--port", "8080"]

# The project's own tests, inside its image.
FROM builder AS test
ENV CI=true HOME=/tmp
USER 65532:65532
CMD ["npm", "run", "test"]

# How the pages are served.
FROM nginx:1.28-alpine AS runtime
COPY docker/canvas.nginx.conf /etc/nginx/nginx.conf
WORKDIR /srv/site
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT []
CMD ["nginx", "-e", "stderr", "-g", "daemon off;"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=canvas \
    org.opencontainers.image.vendor=canvas
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The same: nothing in it is there for comfort.
FROM runtime AS slim
COPY --from=builder /app/dist /srv/site

# The image of production; its base has a shell already.
FROM runtime AS debug
COPY --from=builder /app/dist /srv/site

# What is published and runs.
FROM runtime AS production
COPY --from=builder /app/dist /srv/site
