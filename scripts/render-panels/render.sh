#!/usr/bin/env bash
# Draws the picture of README.md: render.sh PROMETHEUS_URL START END (seconds since 1970) > nothing; writes
# dashboards/panels.png. Needs node, npm and chromium; fetches about 430 MB of packages into target/render-panels.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
work=$root/target/render-panels
mkdir -p "$work"
cp "$here/package.json" "$here/render.jsx" "$work"
"$here/fetch.py" "$root/dashboards/grafana/live.json" "$1" "$2" "$3" \
    "Accuracy" "Round latency" "Where a round's time goes" \
    "Weight of the Byzantine workers" "Robustness coefficient" "Messages to the barrier" >"$work/data.json"
cd "$work"
[ -d node_modules ] || npm install --silent --no-fund --no-audit --legacy-peer-deps
npx esbuild render.jsx --bundle --minify --outfile=bundle.js --log-level=error --loader:.css=empty \
    --define:global=window --define:process.env.NODE_ENV='"production"'
cat >page.html <<END
<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="node_modules/uplot/dist/uPlot.min.css">
<body style="margin:0"><div id="root"></div><script src="bundle.js"></script>
END
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1262,560 \
    --virtual-time-budget=5000 --screenshot="$root/dashboards/panels.png" "file://$work/page.html" 2>/dev/null
