#!/usr/bin/env bash
# Makes tests/monitoring/schema/ from Grafana's own types (npm, @grafana/schema, Apache-2.0): JSON Schemas of a
# dashboard and of the options of the panels that ours use. Only the shapes are kept, not the sentences.
set -euo pipefail
out=$(cd "$(dirname "$0")/.." && pwd)/tests/monitoring/schema
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit @grafana/schema@13.2.3 ts-json-schema-generator@2

types=node_modules/@grafana/schema/dist/types/raw
schema() { # schema FILE TYPE NAME
    npx ts-json-schema-generator --path "$types/$1/x/types.gen.d.ts" --type "$2" --no-type-check >"$3.json"
}
schema dashboard Dashboard dashboard
for panel in timeseries stat table; do
    schema "composable/$panel/panelcfg" Options "$panel"
done
for panel in timeseries table; do
    schema "composable/$panel/panelcfg" FieldConfig "$panel-field"
done

mkdir -p "$out"
python3 - "$out" *.json <<'END'
import json, pathlib, sys

def shapes(value):
    """Without annotations; a property that is called so is a schema, not a sentence."""
    if isinstance(value, dict):
        notes = ("description", "$comment", "default")
        return {k: shapes(v) for k, v in value.items() if k not in notes or isinstance(v, dict)}
    return [shapes(v) for v in value] if isinstance(value, list) else value

for name in sys.argv[2:]:
    if name.startswith("package"):
        continue
    schema = shapes(json.loads(pathlib.Path(name).read_text()))
    pathlib.Path(sys.argv[1], name).write_text(json.dumps(schema, separators=(",", ":")) + "\n")
END
