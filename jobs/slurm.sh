#!/bin/bash
# A study on a Slurm cluster: sbatch jobs/slurm.sh STUDY --out FOLDER [options of scaling sweep]
# Nodes, time and the like are options of sbatch, before the script's name. docs/cluster.md.
#SBATCH --job-name=scaling
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
set -euo pipefail

# The environment that has the project; of yours, if it is elsewhere.
# source ~/scaling-venv/bin/activate

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=${nodes%%$'\n'*}:$((20000 + SLURM_JOB_ID % 10000))  # a port that no other job's Ray has
export RAY_AUTH_MODE=token  # of ~/.ray/auth_token, which Ray makes once
export RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT=600  # seconds; nodes of one job start apart
export RAY_gcs_rpc_server_reconnect_timeout_s=20  # after which a node knows that the sweep is over
export RAY_worker_niceness=0  # the nodes are ours alone

# Starts Ray on every node, runs the sweep on the first, stops Ray and exits as the sweep did. What
# Ray says on the others, hundreds of lines when it is stopped, goes into files beside the log.
srun bash -c '[ "$SLURM_NODEID" = 0 ] || exec &> "slurm-$SLURM_JOB_ID.node$SLURM_NODEID.log"; exec "$@"' - \
  ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_ON_NODE" \
  -- python -m jobs.sweep --address "$address" --shared-fs "$@"
