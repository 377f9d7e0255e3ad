#!/usr/bin/env bash
# `make monitor`: starts what is installed of Prometheus and the Pushgateway on loopback, and says how to open Grafana.
# Ctrl-C ends all of it. Samples are kept in target/prometheus.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v prometheus >/dev/null; then
    echo "prometheus is not installed; on Debian: apt-get install prometheus prometheus-pushgateway" >&2
    echo "or, with Docker: docker compose -f dashboards/compose.yml up" >&2
    exit 1
fi

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait' EXIT

if command -v prometheus-pushgateway >/dev/null; then
    prometheus-pushgateway --web.listen-address=127.0.0.1:9091 --log.level=warn &
    pids+=($!)
fi
prometheus --config.file=dashboards/prometheus.yml --storage.tsdb.path=target/prometheus \
    --web.listen-address=127.0.0.1:9090 --log.level=warn &
pids+=($!)

cat <<END
Prometheus   http://127.0.0.1:9090   (alerts: /alerts, targets: /targets)
Pushgateway  $(command -v prometheus-pushgateway >/dev/null && echo http://127.0.0.1:9091 || echo "not installed")
a run        target/release/phalanx run experiments/quickstart.toml --metrics

Grafana, where it is installed:
  PHALANX_DASHBOARDS=$PWD/dashboards/grafana \\
  GF_PATHS_PROVISIONING=$PWD/dashboards/provisioning \\
  GF_PATHS_DATA=$PWD/target/grafana GF_SERVER_HTTP_ADDR=127.0.0.1 \\
  grafana server --homepath /usr/share/grafana
  then open http://127.0.0.1:3000/d/phalanx-live
or import dashboards/grafana/*.json into a Grafana that you have.
Ctrl-C ends Prometheus and the Pushgateway.
END
wait -n "${pids[@]}"
