#!/usr/bin/env bash
# Makes everything else in this folder with the demo model, on a CPU:
#     docs/evaluation-example/make.sh [WORK]
# WORK keeps the drawn videos and the answers of the sensitivity study. Started again, it
# goes on where it was ended.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-runs/evaluation-example}
out=docs/evaluation-example
python=${PYTHON:-.venv/bin/python}

evaluate() { "$python" -m evaluation "$@"; }

# The commands that ask a model are shared by two processes.
shared() {
    "$python" -m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 \
        --mixed_precision no --dynamo_backend no -m evaluation "$@" --device cpu
}

ask() { # TASK OUT [OPTIONS]: the questions of a task
    local task=$1 rows=$2
    shift 2
    shared run --annotations "$work/$task.json" --videos "$work/videos" --task "$task" \
        --out "$rows" "$@"
}

tell() { # TASK NAME: the numbers of a result file
    local task=$1 name=$2
    for protocol in strict released; do
        evaluate score "$out/$name.jsonl" --task "$task" --protocol "$protocol" \
            --bootstrap 1000 >"$out/${name}_$protocol.json"
    done
    evaluate breakdown "$out/$name.jsonl" --task "$task" >"$out/${name}_breakdown.json"
}

# The benchmark: 64 videos with a seed that training never used.
[ -f "$work/stvg.json" ] || "$python" -m training.synthetic --seed 20261125 --count 64 --out "$work"

# The three tasks of ST-Align, and STVG with a limit that cuts the longer answers.
for task in stvg svg elc; do
    ask "$task" "$out/$task.jsonl"
    tell "$task" "$task"
done
ask stvg "$out/stvg_256.jsonl" --max-new-tokens 256
tell stvg stvg_256

# Temperatures and seeds, on a random subset.
shared sensitivity --annotations "$work/stvg.json" --videos "$work/videos" --task stvg \
    --temperatures 0.001 0.01 0.1 --seeds 0 1 2 --subset 12 --seed 1 \
    --out "$work/sensitivity"
mkdir -p "$out/sensitivity"
cp "$work"/sensitivity/sensitivity.{json,png} "$out/sensitivity"

# Pictures of single answers.
draw() { # TASK NAME BEST WORST
    evaluate cases "$out/$2.jsonl" --task "$1" --videos "$work/videos" --best "$3" \
        --worst "$4" --out "$out/cases/$2"
}
draw stvg stvg 1 1
draw stvg stvg_256 0 1
draw elc elc 0 2

evaluate report --title "The demo model on 64 synthetic videos" \
    --run "stvg=$out/stvg.jsonl" --run "stvg, 256 tokens=$out/stvg_256.jsonl" \
    --run "svg=$out/svg.jsonl" --run "elc=$out/elc.jsonl" \
    --cases "$out/cases/stvg" --cases "$out/cases/stvg_256" --cases "$out/cases/elc" \
    --sensitivity "$out/sensitivity" --out "$out"
