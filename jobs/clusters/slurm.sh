#!/bin/bash
# A study on a Slurm cluster:
#   sbatch jobs/clusters/slurm.sh STUDY --out FOLDER [options of scaling sweep]
# Options of sbatch (nodes, time) stand before the script's name. docs/cluster.md has the rest.
#SBATCH --job-name=scaling
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --requeue
set -euo pipefail

# The environment that has the project, where it is not active already.
# source ~/scaling-venv/bin/activate

export RAY_AUTH_MODE=token
token=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
if [ ! -r "$token" ]; then
  echo "slurm.sh: no token in $token: make it once with \`scaling ray get-auth-token\`" >&2
  exit 2
fi

# This script and Ray's head run on the first node. Where that node's name resolves to 127.0.1.1,
# the others need its real address.
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(getent ahostsv4 "${nodes%%$'\n'*}" | awk 'NR == 1 {print $1}')
[[ $head == 127.* ]] && head=$(hostname -I | awk '{print $1}')
address=$head:$((20000 + SLURM_JOB_ID % 10000))  # rarely the port of another job's Ray

export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600  # seconds; nodes start at different times
export RAY_gcs_rpc_server_reconnect_timeout_s=20  # seconds until a node sees the end
export RAY_worker_niceness=0  # the nodes are ours alone

# `scaling ray` gives Ray a folder on each node that no other user of it can enter.
# `ray symmetric-run` starts Ray on every node, runs the sweep on the first, stops Ray and exits
# with the sweep's status. It exits with 0 where Ray did not start, hence the file. When Ray stops,
# it prints hundreds of lines on the other nodes; they go into files beside the log.
export address began=$PWD/slurm-$SLURM_JOB_ID.began
rm -f "$began"
trap 'rm -f "$began"' EXIT
srun --cpu-bind=none bash -c '
  [ "$SLURM_NODEID" = 0 ] || exec &> "slurm-$SLURM_JOB_ID.node$SLURM_NODEID.log"
  exec scaling ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_ON_NODE" -- bash -c "touch \"\$began\"; exec \"\$@\"" - \
    python -P -m jobs.sweep --address "$address" --shared-fs "$@"' - "$@"
if [ ! -e "$began" ]; then
  echo "slurm.sh: Ray did not start, see above: nothing was trained" >&2
  exit 1
fi
