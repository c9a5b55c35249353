FROM base AS builder
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=0
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv --mount=type=bind,source=uv.lock,target=uv.lock --mount=type=bind,source=pyproject.toml,target=pyproject.toml uv sync --locked --no-install-project --no-dev
COPY . /app
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev

FROM slim
COPY --from=builder --chown=65532:65532 /app /app
ENV PATH="/app/.venv/bin:$PATH"
USER 65532
WORKDIR /app
CMD ["uvicorn", "desk.main:app", "--host", "0.0.0.0", "--port", "8000"]
