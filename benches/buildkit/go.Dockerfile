FROM base AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=bind,source=go.sum,target=go.sum --mount=type=bind,source=go.mod,target=go.mod GOMODCACHE=/go/pkg/mod go mod download -x 2>/dev/null
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build --mount=type=bind,target=. GOMODCACHE=/go/pkg/mod go build -trimpath -ldflags="-s -w" -o /bin/server .

FROM scratch
COPY --from=base /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /bin/server /server
USER 65532
ENTRYPOINT ["/server"]
