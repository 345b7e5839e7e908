# docker build .                                        compiles in the image
# make dist && docker build --build-arg FROM=prebuilt . takes the binary from dist/
#
# The result holds the binary, CA roots and an empty state directory. It runs
# as a numeric user, needs no writable root and starts no shell.

ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG BASE_IMAGE=scratch
# Where the binary comes from: compiled or prebuilt.
ARG FROM=compiled

FROM ${GO_IMAGE} AS compiled
ARG VERSION=unknown
ARG REVISION=unknown
ARG DATE=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir -p /root-fs/bin /root-fs/etc/ssl/certs /root-fs/state \
 && make build VERSION="$VERSION" REVISION="$REVISION" DATE="$DATE" BRANCH= \
 && cp bin/alikafka-exporter /root-fs/bin/ \
 && cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/

# What deploy/image lays out in dist/: bin, etc/ssl/certs and an empty state.
FROM scratch AS prebuilt
COPY dist/root-fs /root-fs

FROM ${FROM} AS files

FROM ${BASE_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
ARG DATE=unknown
LABEL org.opencontainers.image.title="alikafka-exporter" \
      org.opencontainers.image.description="Prometheus exporter for ApsaraMQ for Kafka" \
      org.opencontainers.image.source="https://github.com/alikafka-exporter/alikafka-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$DATE"
COPY --from=files /root-fs/bin/alikafka-exporter /bin/alikafka-exporter
COPY --from=files /root-fs/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=files --chown=65532:65532 /root-fs/state /var/lib/alikafka-exporter
USER 65532:65532
# State goes here, and nothing anywhere else.
VOLUME /var/lib/alikafka-exporter
EXPOSE 19308
ENTRYPOINT ["/bin/alikafka-exporter"]
CMD ["--config.file=/etc/alikafka-exporter/config.yaml", "--storage.path=/var/lib/alikafka-exporter"]
