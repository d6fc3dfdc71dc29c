"""ministack on loopback and a free port, until standard input ends."""

import os
import socket
import sys
import threading
import time
import urllib.request

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

# Without these it listens on all interfaces.
os.environ.update(
    BIND_HOST="127.0.0.1",
    MINISTACK_HOST="127.0.0.1",
    GATEWAY_PORT=str(port),
    IOT_MTLS_ENABLED="0",
)


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


def tell_when_ready():
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            opener.open(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
        except OSError:
            time.sleep(0.05)
            continue
        print(f"listening {port}", flush=True)
        return


threading.Thread(target=end_with_stdin, daemon=True).start()
threading.Thread(target=tell_when_ready, daemon=True).start()

from ministack.app import main  # noqa: E402, it reads the environment as it loads

sys.argv = ["ministack"]
main()
