#!/usr/bin/env bash
# Makes a virtual environment and installs requirements into it.
#
#   tools/install.sh VENV REQUIREMENTS
#
# PYTHON names the interpreter (default: python3). Without an NVIDIA GPU, torch is
# installed as its CPU build wherever that can be had.
set -euo pipefail

venv=$1
requirements=$2
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
cpu_index=https://download.pytorch.org/whl/cpu

fail() {
    echo "error: $*" >&2
    exit 1
}

say() {
    echo "==> $*"
}

check_python() {
    command -v "$python" >/dev/null ||
        fail "$python was not found; install Python 3.10 or newer (sudo apt-get install python3 python3-venv)."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$python" --version 2>&1) is too old; StableChat needs Python 3.10 or newer (set PYTHON=/path/to/python3)."
}

# Debian and Ubuntu ship venv without ensurepip until python3-venv is installed.
make_venv() {
    if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    else
        make_venv_without_ensurepip ||
            fail "Python's venv module is missing; install it with: sudo apt-get install python3-venv"
    fi
}

make_venv_without_ensurepip() {
    "$python" -c 'import venv' 2>/dev/null &&
        "$python" -m venv --without-pip "$venv" &&
        [ -x "$venv/bin/python" ] &&
        say "There is no ensurepip: downloading pip." &&
        "$venv/bin/python" "$root/tools/bootstrap_pip.py"
}

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check "$@"
}

has_gpu() {
    command -v nvidia-smi >/dev/null && [[ $(nvidia-smi --list-gpus 2>/dev/null) == *GPU* ]]
}

cpu_index_answers() {
    timeout 6 "$venv/bin/python" - "$cpu_index/torch/" 2>/dev/null <<'PY'
import sys
import urllib.request

urllib.request.urlopen(sys.argv[1], timeout=5).close()
PY
}

# The pinned version, if pip can find it for this Python.
pinned_torch() {
    local pin versions
    pin=$(grep '^torch==' "$root/constraints-cpu.txt")
    versions=$(pip index versions torch 2>/dev/null) || return 1
    grep -qwF -- "${pin#torch==}" <<<"$versions" && echo "$pin"
}

install_torch() {
    local wanted pin
    wanted=$(sed -n 's/^\(torch[<>=][^ #]*\).*/\1/p' "$root/requirements.txt")
    if has_gpu; then
        say "An NVIDIA GPU is here: installing torch with CUDA."
        pip install "$wanted"
    elif cpu_index_answers; then
        say "No NVIDIA GPU: installing the CPU build of torch."
        pip install --index-url "$cpu_index" "$wanted"
    elif pin=$(pinned_torch); then
        say "No NVIDIA GPU: installing $pin."
        pip install "$pin"
    else
        say "No NVIDIA GPU, and no CPU build of torch to be found: installing PyPI's."
        pip install "$wanted"
    fi
}

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    check_python
    say "Creating $venv with $("$python" --version)."
    make_venv
fi
if ! "$venv/bin/python" -c 'import importlib.metadata as m; m.version("torch")' 2>/dev/null; then
    install_torch
fi
say "Installing $requirements."
pip install --quiet -r "$root/$requirements"
