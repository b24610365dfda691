# Tocsin in one image: `web`, `worker` and `migrate` are its commands. Built in two stages, so that the compiler-free
# runtime holds neither pip's cache nor the sources.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/tocsin
COPY requirements.lock .
RUN /opt/tocsin/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY streams streams
COPY agents agents
COPY models models
COPY notifiers notifiers
COPY templates templates
RUN /opt/tocsin/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tocsin tocsin
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TOCSIN_DATA_DIR=/var/lib/tocsin \
    TOCSIN_WEB_BIND=0.0.0.0:8080
USER tocsin
WORKDIR /var/lib/tocsin
EXPOSE 8080
# For `web`; the worker and the migration switch it off or say their own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health/live', timeout=2)"]
ENTRYPOINT ["tocsin"]
CMD ["web"]
