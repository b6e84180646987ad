# Builds the image of the local CloudWatch endpoint, for docker-compose.yaml. The context is
# the repository:
#
#     docker build -t cloudwatch-local -f deploy/cloudwatch-local.Dockerfile .
#
# Set CLOUDWATCH_LOCAL_ALLOW_HOSTS to the name that others reach its container by.
#
# The builder is that of the publisher's Dockerfile, or any other with Rust's musl target.
ARG RUST_IMAGE=rust:1.95.0-alpine3.22

FROM ${RUST_IMAGE} AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# The endpoint uses nothing of the publisher, whose manifest is that of the workspace as well,
# nor of the other crates. Theirs name binaries, tests and examples that are not here.
RUN set -eu; \
    mkdir src examples; \
    touch src/lib.rs src/main.rs examples/completions.rs; \
    for manifest in crates/*/Cargo.toml; do \
        if [ ! -d "${manifest%/*}/src" ]; then \
            awk '/^\[/ { target = /^\[\[/ } !target' "$manifest" >targets && mv targets "$manifest"; \
            mkdir "${manifest%/*}/src"; \
            touch "${manifest%/*}/src/lib.rs"; \
        fi; \
    done; \
    target="$(uname -m)-unknown-linux-musl"; \
    cargo build --locked --release --target "$target" --package cloudwatch-local; \
    mkdir /image; \
    cp "target/$target/release/cloudwatch-local" /image/

FROM scratch
COPY --from=build /image /
USER 65532:65532
STOPSIGNAL SIGTERM
# All addresses, or nobody outside of the container could reach it.
ENV CLOUDWATCH_LOCAL_LISTEN=0.0.0.0:4580
EXPOSE 4580
ENTRYPOINT ["/cloudwatch-local"]
