# The server, its locked dependencies and nothing else, as an unprivileged user, with the ledger on a volume.
#
#     docker build -t budgetd .
#     docker run --rm --init --read-only --tmpfs /tmp --cap-drop ALL -v budgetd:/data budgetd
#
# As it stands budgetd listens on the container's own loopback: `docker exec` reaches it, and so does a container that
# shares its network (--network container:NAME). To listen further is a decision to take aloud, since there is no TLS
# then; publish the port no further than you must:
#
#     docker run ... -p 127.0.0.1:50051:50051 budgetd serve --listen 0.0.0.0:50051 --insecure
#
# The volume must be a local disk: SQLite's write-ahead log needs shared memory, which NFS and SMB do not give.
# `make image-check` rehearses these steps without Docker.

FROM python:3.11-slim-bookworm AS builder
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock
RUN python -m venv --without-pip /opt/budgetd \
    && pip --python /opt/budgetd install --no-cache-dir --only-binary=:all: --require-hashes -r requirements.lock
# The part that changes most comes last, so that the layers above stay cached.
COPY clients/python clients/python
COPY server server
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./clients/python ./server \
    && pip --python /opt/budgetd install --no-cache-dir --no-deps --no-index /wheels/*.whl \
    && pip --python /opt/budgetd check

FROM python:3.11-slim-bookworm
ENV PATH=/opt/budgetd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BUDGETD_DATABASE=sqlite:////data/budgetd.db
COPY --from=builder /opt/budgetd /opt/budgetd
RUN mkdir -m 0700 /data && chown 65532:65532 /data
USER 65532:65532
WORKDIR /data
VOLUME ["/data"]
EXPOSE 50051 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["budgetd", "health"]
ENTRYPOINT ["budgetd"]
CMD ["serve"]
