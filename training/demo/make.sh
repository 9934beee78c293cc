#!/usr/bin/env bash
# Makes the demo model again, on a machine with two CUDA cards (about 25 minutes):
#     training/demo/make.sh RUN [MODEL]
# RUN keeps the state of the run; MODEL (default: assets/demo) is what is made. Started
# again, it goes on where it was ended. It begins with the first demo model, which is in
# this repository's history.
# With REHEARSAL=1 every step is gone through in some minutes on a CPU; the model that
# comes out is worth nothing, and is written to RUN/model.
set -euo pipefail
run=$(realpath -m "${1:?the folder of the run}")
model=$(realpath -m "${2:-assets/demo}")
cd "$(dirname "$0")/../.."
processes=2 train=(--total-seconds 800 --videos 32 --images 128) most=1000
figure=docs/confidence.png report=benchmarks/results/confidence.json
if [ -n "${REHEARSAL:-}" ]; then
    processes=1 train=(--total-seconds 30 --videos 1 --images 2 --no-compile) most=3
    model=$run/model figure=$run/confidence.png report=$run/confidence.json
fi
first_model=833bde6 # the commit that brought it
python=${PYTHON:-.venv/bin/python}

mkdir -p "$run/first" "$run/answers" "$model"
git archive "$first_model" assets/demo | tar x -C "$run/first" --strip-components=2
cp -rn "$run/first" -T "$model" # its configuration and tokenizer, if it has none

# Worlds of all kinds, drawn on the cards; the seed is --seed's default, 1.
"$python" -m torch.distributed.run --nproc-per-node $processes -m training.demo.train \
    --out "$run/state" --init "$run/first" --skeleton "$run/first" --lr 3e-3 "${train[@]}"
"$python" -m training.demo.export --run "$run/state" --out "$model"

# How sure it is: videos of seeds that training never used. What skips frames, or is on
# the wrong thing, comes from sampled answers.
ask() { # NAME SEED COUNT [OPTIONS]
    local name=$1 seed=$2 count=$(($3 < most ? $3 : most))
    shift 3
    "$python" -m training.calibrate ask --model "$model" --seed "$seed" --count "$count" \
        --out "$run/answers/$name.jsonl" "$@"
}
ask fit 20261201 80
ask sampled 20261204 20 --world crowded --candidates 4
ask test 20261212 100
ask test2 20261213 100
ask candidates 20261203 20 --world crowded --candidates 4
"$python" -m training.calibrate fit "$run/answers/"{fit,sampled}.jsonl --out "$model/confidence.json"
"$python" -m training.calibrate report "$run/answers/"{test,test2}.jsonl --model "$model" \
    --candidates "$run/answers/candidates.jsonl" --figure "$figure" \
    --out "$report"
