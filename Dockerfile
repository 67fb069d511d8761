# Only the server: no compiler, no tests, no secrets. It writes no files, so it runs on a read-only file system.
# scripts/image builds it with an SBOM and all labels. To try it quickly:
#   docker build -t doit-mcp .
#   docker run --read-only --cap-drop ALL -p 127.0.0.1:8080:8080 -e MCP_RESOURCE_URL -e MCP_TOKEN_EXCHANGE_SECRET doit-mcp

# The digest of a multi-platform image index. scripts/pin-images updates it.
ARG PYTHON_IMAGE=python:3.11-slim@sha256:e41613d42d4891e4930f79523f93f81bbc7632584ec65e36ab055f41a800b41e

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Only packages with these hashes, including those for the extras redis and otel.
COPY deploy/requirements.txt ./
RUN python -m venv /opt/doit-mcp \
    && /opt/doit-mcp/bin/pip install --require-hashes --requirement requirements.txt
# Only the files to install; .dockerignore excludes all others.
COPY pyproject.toml setup.cfg README.rst LICENSE ./
COPY doit_mcp ./doit_mcp
RUN /opt/doit-mcp/bin/pip install --no-deps . \
    && /opt/doit-mcp/bin/pip check \
    && /opt/doit-mcp/bin/pip uninstall --yes pip

FROM ${PYTHON_IMAGE}
# The contents and origin of the image; scripts/image sets the revision and the time.
ARG PYTHON_IMAGE
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="DoiT MCP" \
    org.opencontainers.image.description="Remote MCP server for DoiT Cloud Intelligence" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.base.name="docker.io/library/${PYTHON_IMAGE}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
# Numeric, so that an orchestrator can verify that it is not root.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin doit
COPY --from=build /opt/doit-mcp /opt/doit-mcp
# Bytecode is written at installation; the container's file system is read-only.
ENV PATH=/opt/doit-mcp/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    DOIT_MCP_HOST=0.0.0.0 DOIT_MCP_PORT=8080
USER 10001:10001
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['DOIT_MCP_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["doit-mcp"]
CMD ["serve"]
