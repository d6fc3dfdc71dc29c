"""A worker on dramatiq-sqs. See ../README.md."""

import os
import sys
import threading

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import botocore.config  # noqa: E402
import dramatiq  # noqa: E402
import walk  # noqa: E402
from dramatiq.worker import Worker  # noqa: E402
from dramatiq_sqs import SQSBroker  # noqa: E402

broker = SQSBroker(
    namespace=os.environ["FLEET_NAME"],
    endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"],
    config=botocore.config.Config(max_pool_connections=128),
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="nodes", max_retries=0)
def node(w, d, p):
    for child in walk.children(w, d, p):
        node.send(*child)
    walk.done(w, p)


worker = Worker(broker, worker_threads=int(os.environ.get("FLEET_SLOTS", "16")))
worker.start()
walk.serve(node.send)
walk.say({"ready": True})
threading.Event().wait()
