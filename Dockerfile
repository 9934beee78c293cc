# The app on a CPU, and what a Hugging Face Space builds; docs/docker.md.
FROM python:3.12-slim-bookworm

# A font that has Chinese, Japanese and Korean, for what is written into clips.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-noto-cjk \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.txt constraints-cpu.txt ./
COPY tools/install.sh tools/bootstrap_pip.py tools/
RUN PIP_NO_CACHE_DIR=1 tools/install.sh /opt/venv requirements.txt

COPY tools/healthcheck.py tools/
COPY app.py LICENSE ./
COPY assets assets
COPY render render
COPY stablechat stablechat
COPY ui ui

# Spaces run as user 1000, too. Downloaded weights lie in its home, and
# answers where --keep names that folder.
RUN useradd --uid 1000 --create-home stablechat \
    && install -d -o 1000 -g 1000 \
        /home/stablechat/.cache /home/stablechat/.cache/huggingface \
        /home/stablechat/answers
USER 1000
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /home/stablechat/.cache/huggingface

EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s \
    CMD ["python", "tools/healthcheck.py", "7860"]
# Other machines can reach it, so it asks for the login in STABLECHAT_AUTH.
ENTRYPOINT ["python", "app.py", "--host", "0.0.0.0", "--port", "7860", "--no-browser", "--auth", "env"]
