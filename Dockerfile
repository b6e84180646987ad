# Builds the image of cw-publisher: one static binary and the CA certificates.
#
#     docker build -t cw-publisher .
#
# It builds for the machine it runs on (amd64 or arm64), with or without BuildKit. Any
# builder image serves that has Rust with the musl target, a C compiler for it and CA
# certificates. To pin the builder by its content and not only by its tag:
#
#     docker build --build-arg RUST_IMAGE=rust:1.95.0-alpine3.22@sha256:<digest> .
#
# where `docker buildx imagetools inspect rust:1.95.0-alpine3.22` prints the digest.
ARG RUST_IMAGE=rust:1.95.0-alpine3.22

# The manifests of the other crates, which make the workspace complete, without their binaries,
# tests and examples: those files are not here. A stage of its own, for the layers below are
# kept as long as what is copied from it stays the same. Of the libraries that the program
# links, the sources come with its own.
FROM ${RUST_IMAGE} AS manifests
WORKDIR /build
COPY crates crates
RUN set -eu; \
    find crates -type f ! -path 'crates/*/Cargo.toml' -delete; \
    find crates -mindepth 2 -type d -empty -delete; \
    for manifest in crates/*/Cargo.toml; do \
        awk '/^\[/ { target = /^\[\[/ } !target' "$manifest" >targets && mv targets "$manifest"; \
        mkdir "${manifest%/*}/src"; \
        printf '//! Empty.\nfn main() {}\n' | tee "${manifest%/*}/src/main.rs" >"${manifest%/*}/src/lib.rs"; \
    done

FROM ${RUST_IMAGE} AS build
# ring compiles C. Alpine's Rust images bring gcc, but not each of them the C headers.
RUN if command -v apk >/dev/null; then apk add --no-cache ca-certificates gcc musl-dev; fi
WORKDIR /build

# The crates of the workspace that the program links; they change as often as it does.
ARG LIBRARIES="aws-connection blocking-io cloudwatch-metric cron-schedule diagnostics http-proxies metric-source retry-policy settings shutdown telemetry"

# The dependencies alone come first, with an empty program and empty files for whatever else
# the manifests name, so that a change of the sources does not compile them again. `cargo
# clean` then removes all that is left of the empty program: the sources keep the dates of
# their checkout, so they may look older than it.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY --from=manifests /build/crates crates
RUN set -eu; \
    mkdir -p src examples; \
    printf '//! Empty.\nfn main() {}\n' | tee src/main.rs examples/completions.rs >src/lib.rs; \
    target="$(uname -m)-unknown-linux-musl"; \
    cargo build --locked --release --no-default-features --target "$target" --bin cw-publisher; \
    for package in cw-publisher $LIBRARIES; do \
        cargo clean --release --target "$target" --package "$package"; \
    done; \
    rm -r src; \
    cd crates && rm -r $LIBRARIES

COPY crates/aws-connection crates/aws-connection
COPY crates/blocking-io crates/blocking-io
COPY crates/cloudwatch-metric crates/cloudwatch-metric
COPY crates/cron-schedule crates/cron-schedule
COPY crates/diagnostics crates/diagnostics
COPY crates/http-proxies crates/http-proxies
COPY crates/metric-source crates/metric-source
COPY crates/retry-policy crates/retry-policy
COPY crates/settings crates/settings
COPY crates/shutdown crates/shutdown
COPY crates/telemetry crates/telemetry
COPY src src
RUN set -eu; \
    target="$(uname -m)-unknown-linux-musl"; \
    cargo build --locked --release --no-default-features --target "$target" --bin cw-publisher; \
    mkdir -p /image/etc/ssl/certs /spool; \
    cp "target/$target/release/cw-publisher" /image/; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image /
# A volume that is mounted here takes over the owner, so that SPOOL_DIR is writable.
COPY --from=build --chown=65532:65532 /spool /var/spool/cw-publisher

# Numeric: the image has no /etc/passwd, and Kubernetes' runAsNonRoot wants a number.
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["/cw-publisher", "healthcheck"]
ENTRYPOINT ["/cw-publisher"]

# At the end, for they differ from build to build.
ARG VERSION=dev
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="cw-publisher" \
      org.opencontainers.image.description="Publishes metrics to Amazon CloudWatch on a schedule and loses no point in an outage" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
