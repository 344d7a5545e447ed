FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src

# Apart from the code, so that a change to it does not fetch them again.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
        -ldflags "-s -w -X github.com/eventpulse/eventpulse/cmd.version=$VERSION" \
        -o /out/eventpulse .

# What the program needs around it: certificates for TLS, a user who is not
# root, and a place of its own to write to.
RUN install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && echo 'eventpulse:x:65532:65532::/var/lib/eventpulse:/sbin/nologin' > /out/etc/passwd \
    && echo 'eventpulse:x:65532:' > /out/etc/group \
    && install -d -m 755 /out/var/lib \
    && install -d -m 750 -o 65532 -g 65532 /out/var/lib/eventpulse

FROM scratch
ARG VERSION=devel
LABEL org.opencontainers.image.title="EventPulse" \
      org.opencontainers.image.description="Takes in events over HTTP and keeps them in PostgreSQL" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version=$VERSION
COPY --from=build /out /

USER 65532:65532
WORKDIR /var/lib/eventpulse

# Producers; probes and metrics of serve, and of work.
EXPOSE 3000 9464 9465

HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/eventpulse", "healthcheck"]

ENTRYPOINT ["/eventpulse"]
CMD ["serve"]
