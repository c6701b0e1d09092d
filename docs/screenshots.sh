#!/usr/bin/env bash
# Makes the pictures of docs/src/images, at desktop and at phone width. Run it from the repository, with `framework` and
# `chromium` on the path; look at what it makes before it is committed.
set -euo pipefail
work="$(mktemp -d)"
cp -r recipes "$work"
images="$PWD/docs/src/images"
cd "$work"
framework train recipes/quickstart.toml --set validation.fraction=0.1 --set 'train.eval_every="epoch"' --set train.max_steps=120
framework sweep recipes/training/epochs.toml --set train.epochs=3,4,6,8
framework compare runs/quickstart --base --to comparison

shot() { # shot PAGE NAME WIDTH HEIGHT: in a frame, since windows have a least width
    local frame="<body style='margin:0'><iframe src='$1' style='width:$3px;height:$4px;border:0'></iframe></body>"
    echo "<!doctype html>$frame" >frame.html
    chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
        --window-size="$3,$4" --screenshot="$images/$2.png" "file://$work/frame.html"
}
shot runs/quickstart/report.html report 1000 760
shot runs/quickstart/report.html report-phone 390 760
shot runs/epochs-sweep/report.html sweep 1000 600
shot runs/epochs-sweep/report.html sweep-phone 390 600
shot comparison/compare.html compare 1000 700
shot comparison/compare.html compare-phone 390 700
