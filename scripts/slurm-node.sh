#!/usr/bin/env bash
# Starts a Slurm cluster of this one machine in a temporary folder, runs a command on it, and stops what it started:
#   scripts/slurm-node.sh COMMAND ARGUMENTS...
# Its arrays have indices up to 4, and its partition, `debug`, is not taken unless it is named.
# Needs root and Debian's slurmctld, slurmd, slurm-client and munge; without them it says so and succeeds.
set -euo pipefail

for program in slurmctld slurmd sbatch munged; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: $program is not installed (apt-get install slurmctld slurmd slurm-client munge)"
        exit 0
    fi
done
if [ "$(id -u)" -ne 0 ]; then
    echo "skipped: a cluster of one's own is started by root only"
    exit 0
fi

place=$(mktemp -d)
host=$(hostname -s)
started=()

stop() {
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$place"
}
trap stop EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# munge signs what the daemons say to each other; it insists on folders that others cannot write.
chmod 755 "$place"
install -d -o munge -g munge -m 755 "$place/munge"
dd if=/dev/urandom of="$place/munge/key" bs=1024 count=1 status=none
chown munge:munge "$place/munge/key"
chmod 400 "$place/munge/key"
setpriv --reuid=munge --regid=munge --clear-groups munged --foreground --force \
    --socket="$place/munge/socket" --key-file="$place/munge/key" --pid-file="$place/munge/pid" \
    --log-file="$place/munge/log" --seed-file="$place/munge/seed" >"$place/munged.log" 2>&1 &
started+=($!)

mkdir -p "$place/state" "$place/spool"
cat >"$place/slurm.conf" <<CONF
ClusterName=phalanx
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$place/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
MaxArraySize=5
SlurmctldPidFile=$place/slurmctld.pid
SlurmdPidFile=$place/slurmd.pid
SlurmdSpoolDir=$place/spool
StateSaveLocation=$place/state
SlurmctldLogFile=$place/slurmctld.log
SlurmdLogFile=$place/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=debug Nodes=$host MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$place/slurm.conf

for _ in $(seq 50); do [ -S "$place/munge/socket" ] && break; sleep 0.1; done
slurmctld -D -c >/dev/null 2>&1 &
started+=($!)
slurmd -D >/dev/null 2>&1 &
started+=($!)
for _ in $(seq 100); do
    [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && break
    sleep 0.2
done
if [ "$(sinfo -h -o %T)" != idle ]; then
    echo "the cluster does not come up:" >&2
    sinfo >&2 || true
    tail -n 20 "$place"/slurm*.log >&2
    exit 1
fi
"$@"
