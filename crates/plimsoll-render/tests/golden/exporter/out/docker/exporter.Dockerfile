# Rendered by `plimsoll render dockerfile` from what the source tree says; run it again after a change.
#
# Build it from the project's directory:
#
#     docker build -f docker/exporter.Dockerfile -t exporter-exporter .
#
# `--target` chooses slim, debug, dev or test instead of production.

# The toolchain, on the processor of the machine that builds.
FROM --platform=$BUILDPLATFORM golang:1.24-trixie AS base
WORKDIR /src
ENV GOTOOLCHAIN=auto \
    GOFLAGS=-trimpath

# Its modules. A private host of them: --secret id=netrc,src=$HOME/.netrc.
FROM base AS dependencies
COPY ./go.* ./
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=secret,id=netrc,target=/root/.netrc \
    go mod download

# The program.
FROM dependencies AS builder
COPY . /src/
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -buildvcs=false -ldflags='-s -w -buildid=' -o /out/program ./cmd/exporter
COPY docker/healthcheck.go /asker/main.go
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    cd /asker \
    && CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -buildvcs=false -ldflags='-s -w -buildid=' -o /out/healthcheck main.go

# For development: compiles and runs; start it again after a change.
FROM dependencies AS dev
COPY . /src/
WORKDIR /src
EXPOSE 9001
CMD ["go", "run", "./cmd/exporter"]

# The project's own tests, inside its image.
FROM dev AS test
CMD ["go", "test", "./..."]

# What a static program needs besides itself: authorities, time zones, its user, /tmp.
FROM base AS skeleton
RUN mkdir -p /skeleton/etc/ssl/certs /skeleton/usr/share /skeleton/tmp /skeleton/home \
    && install --directory --owner=65532 --group=65532 /skeleton/app \
    && install --directory --mode=700 --owner=65532 --group=65532 /skeleton/home/app \
    && cp /etc/ssl/certs/ca-certificates.crt /skeleton/etc/ssl/certs/ \
    && if [ -d /usr/share/zoneinfo ]; then cp -r /usr/share/zoneinfo /skeleton/usr/share/; fi \
    && echo 'app:x:65532:65532:app:/home/app:/sbin/nologin' > /skeleton/etc/passwd \
    && echo 'app:x:65532:' > /skeleton/etc/group \
    && chmod 1777 /skeleton/tmp

# The same: nothing in it is there for comfort.
FROM scratch AS slim
COPY --from=skeleton /skeleton/ /
ENV HOME=/home/app
COPY --from=builder /out/healthcheck /usr/local/bin/healthcheck
COPY --from=builder /out/program /usr/local/bin/exporter
WORKDIR /app
USER 65532:65532
EXPOSE 9001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/healthcheck", "http", "9001", "/health"]
CMD ["/usr/local/bin/exporter"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=exporter \
    org.opencontainers.image.vendor=exporter
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# The program in a system with a shell and tools.
FROM debian:trixie-slim AS debug
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl procps strace
RUN groupadd --gid 65532 app \
    && useradd --uid 65532 --gid app --create-home --skel /dev/null --home-dir /home/app --shell /usr/sbin/nologin app
RUN install --directory --owner=65532 --group=65532 /app
ENV HOME=/home/app
COPY --from=builder /out/healthcheck /usr/local/bin/healthcheck
COPY --from=builder /out/program /usr/local/bin/exporter
WORKDIR /app
USER 65532:65532
EXPOSE 9001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/healthcheck", "http", "9001", "/health"]
CMD ["/usr/local/bin/exporter"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=exporter \
    org.opencontainers.image.vendor=exporter
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

# What is published and runs.
FROM scratch AS production
COPY --from=skeleton /skeleton/ /
ENV HOME=/home/app
COPY --from=builder /out/healthcheck /usr/local/bin/healthcheck
COPY --from=builder /out/program /usr/local/bin/exporter
WORKDIR /app
USER 65532:65532
EXPOSE 9001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/healthcheck", "http", "9001", "/health"]
CMD ["/usr/local/bin/exporter"]
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=exporter \
    org.opencontainers.image.vendor=exporter
LABEL org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
