# flatforce on a CPU; runs `flatforce demo --quick` unless another command is given, in the folder /work:
#   docker build -t flatforce . && docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" flatforce relax --help
# On a GPU: docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 -t flatforce . && docker run --rm --gpus all flatforce
FROM python:3.11-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 OMP_NUM_THREADS=1 HOME=/home/flatforce

RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --home-dir /home/flatforce flatforce && chmod 777 /home/flatforce && mkdir /work && chown flatforce /work

WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python3 -m venv /opt/flatforce \
    && /opt/flatforce/bin/pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)" \
    && /opt/flatforce/bin/pip install -c constraints.txt '.[mace]' \
    && rm -rf /build
ENV PATH=/opt/flatforce/bin:$PATH

USER flatforce
WORKDIR /work
ENTRYPOINT ["flatforce"]
CMD ["demo", "--quick"]
