"""A worker on Celery over kombu's SQS transport. See ../README.md."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import walk  # noqa: E402
from celery import Celery  # noqa: E402
from celery.signals import worker_ready  # noqa: E402

app = Celery("fleet", broker="sqs://bench:bench@")
app.conf.update(
    task_default_queue="nodes",
    task_ignore_result=True,
    worker_prefetch_multiplier=4,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_transport_options={
        "region": "us-east-1",
        "predefined_queues": {"nodes": {"url": os.environ["FLEET_QUEUE"], "access_key_id": "bench", "secret_access_key": "bench"}},
        "wait_time_seconds": 20,
        "polling_interval": 0,
        "visibility_timeout": 600,
    },
)


@app.task(name="node")
def node(w, d, p):
    for child in walk.children(w, d, p):
        node.apply_async(child)
    walk.done(w, p)


@worker_ready.connect
def ready(**_):
    walk.serve(lambda *root: node.apply_async(root))
    walk.say({"ready": True})


app.worker_main([
    "worker", "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat",
    "--pool", os.environ.get("FLEET_POOL", "threads"), "--concurrency", os.environ.get("FLEET_SLOTS", "16"),
])
