# The image that `make image` builds with docker, podman or buildah, out of the binaries that it puts into dist/.
# Package image assembles the same without any of them, which is what tests look at and `make deploy` uploads.
# Roots of trust are in the binary.
FROM scratch
ARG TARGETARCH
COPY dist/linux-${TARGETARCH}/ramify /ramify
COPY --chown=65532:65532 image/tmp /tmp
ENV TMPDIR=/tmp
VOLUME ["/tmp"]
USER 65532:65532
ENTRYPOINT ["/ramify"]
CMD ["task"]
