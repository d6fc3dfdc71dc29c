"""An application that was written for the daemon of Elastic Beanstalk: Django with
django-eb-sqs-worker, neither of which knows of ramify.

serve PORT NOTES   serves on loopback; its tasks append lines to the file NOTES
send TASK JSON     sends a task to the queue, as the web tier of the application does
"""

import json
import os
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from socketserver import ThreadingMixIn

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path

settings.configure(
    DEBUG=False,
    SECRET_KEY="not one",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["eb_sqs_worker"],
    USE_TZ=True,
    AWS_EB_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
    AWS_SECRET_ACCESS_KEY=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    AWS_EB_DEFAULT_QUEUE_NAME=os.environ.get("QUEUE", "none"),
    AWS_EB_HANDLE_SQS_TASKS=True,
    AWS_EB_ENABLED_TASKS={name: f"__main__.{name}" for name in ("note", "fail_twice", "fail", "nightly")},
)
django.setup()

urlpatterns = [
    path("worker/", include("eb_sqs_worker.urls")),
    path("healthy", lambda request: HttpResponse("ok")),
]

lock = threading.Lock()
failures = {}


def write(line):
    with lock, open(sys.argv[3], "a", encoding="utf-8") as notes:
        notes.write(line + "\n")


def note(text):
    write("note " + text)


def nightly():
    write("nightly")


def fail(name):
    write("fail " + name)
    raise ValueError("it never works")


def fail_twice(name):
    with lock:
        failures[name] = failures.get(name, 0) + 1
        again = failures[name] <= 2
    if again:
        raise ValueError("not yet")
    write("fail_twice " + name)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    if sys.argv[1] == "send":
        from eb_sqs_worker.sqs import send_task

        send_task(sys.argv[2], json.loads(sys.argv[3]))
    else:
        from django.core.handlers.wsgi import WSGIHandler

        make_server("127.0.0.1", int(sys.argv[2]), WSGIHandler(), Server, Quiet).serve_forever()
