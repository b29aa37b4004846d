# syntax=docker/dockerfile:1
# MaxRay as a container image: one program, no shell, no root.
#
#   docker build -t maxray .
#   docker buildx build --sbom=true --provenance=true -t registry.example.org/maxray:0.1.0 --push .   # with its SBOM
#
# The SBOM of a pushed image: docker buildx imagetools inspect IMAGE --format '{{ json .SBOM }}'

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# Caches stay on the machine that builds; what leaves this stage is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --profile dist --locked --package maxray \
    && install -D target/dist/maxray /image/usr/local/bin/maxray \
    && install -d /image/var/lib/maxray

# What prescriptions are printed with in scripts other than Latin, Greek and Cyrillic (docs/prescriptions.md). Only upright
# fonts of normal weight are used: 74 MB of the 137 MB of the two packages.
FROM debian:bookworm-slim AS fonts
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-noto-core fonts-noto-cjk \
    && find /usr/share/fonts -type f ! -name '*-Regular.*' -delete

# Only what a Rust program is linked to: libc, libgcc, certificates, time zones. There is nothing to break out with.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="MaxRay" \
      org.opencontainers.image.description="An imaging server for X-ray sites and tele-radiology" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image/usr/local/bin/maxray /usr/local/bin/maxray
COPY --from=fonts /usr/share/fonts /usr/share/fonts
# Their licence goes with them.
COPY --from=fonts /usr/share/doc/fonts-noto-core/copyright /usr/share/doc/fonts-noto-core/copyright
COPY --from=fonts /usr/share/doc/fonts-noto-cjk/copyright /usr/share/doc/fonts-noto-cjk/copyright
COPY --from=build --chown=65532:65532 --chmod=0700 /image/var/lib/maxray /var/lib/maxray
ENV MAXRAY_DATA_DIRECTORY=/var/lib/maxray
# Each container gets a volume of its own, which goes with it when it is replaced by one of a newer image.
VOLUME /var/lib/maxray
WORKDIR /var/lib/maxray
USER 65532:65532
EXPOSE 8080 11112
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["/usr/local/bin/maxray", "health", "--without-storage"]
ENTRYPOINT ["/usr/local/bin/maxray"]
CMD ["serve"]
