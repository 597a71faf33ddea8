#!/bin/bash
# A study on a Slurm cluster: sbatch jobs/slurm.sh STUDY --out FOLDER [options of scaling sweep]
# Nodes, time and the like are options of sbatch, before the script's name. docs/cluster.md.
#SBATCH --job-name=scaling
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --requeue
set -euo pipefail

# The environment that has the project; of yours, if it is elsewhere.
# source ~/scaling-venv/bin/activate

export RAY_AUTH_MODE=token
token=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
if [ ! -r "$token" ]; then
  echo "slurm.sh: no token in $token: make it once by \`ray get-auth-token --generate\`" >&2
  exit 2
fi

# This script runs on the first node, and so does Ray's head. Where a node calls itself 127.0.1.1,
# the others need its address.
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(getent ahostsv4 "${nodes%%$'\n'*}" | awk 'NR == 1 {print $1}')
[[ $head == 127.* ]] && head=$(hostname -I | awk '{print $1}')
address=$head:$((20000 + SLURM_JOB_ID % 10000))  # hardly ever a port that another job's Ray has

export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600  # seconds; nodes of one job start apart
export RAY_gcs_rpc_server_reconnect_timeout_s=20  # after which a node knows that the sweep is over
export RAY_worker_niceness=0  # the nodes are ours alone

# Starts Ray on every node, runs the sweep on the first, stops Ray and exits as the sweep did; but
# with 0 where Ray did not start, hence the file. What Ray says on the other nodes, hundreds of
# lines when it is stopped, goes into files beside the log.
export address began=$PWD/slurm-$SLURM_JOB_ID.began
rm -f "$began"
trap 'rm -f "$began"' EXIT
srun --cpu-bind=none bash -c '
  [ "$SLURM_NODEID" = 0 ] || exec &> "slurm-$SLURM_JOB_ID.node$SLURM_NODEID.log"
  exec ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_ON_NODE" -- bash -c "touch \"\$began\"; exec \"\$@\"" - \
    python -m jobs.sweep --address "$address" --shared-fs "$@"' - "$@"
if [ ! -e "$began" ]; then
  echo "slurm.sh: Ray did not start, see above: nothing was trained" >&2
  exit 1
fi
