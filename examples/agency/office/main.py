"""The office: so many workers on one port, and another one for each that dies. `python -m office.main`

Uvicorn's own `--workers` would do. But it asks its workers whether they live, and waits seconds for the word of one that was just killed; the
system says it at once.
"""

import os
import signal
import socket
import sys
import time

WORKERS = int(os.environ.get("AGENCY_WORKERS", "2"))
PORT = int(os.environ.get("AGENCY_OFFICE_PORT", "8000"))


def main() -> None:
    ending = False
    workers: set[int] = set()
    listening = socket.create_server(("127.0.0.1", PORT), backlog=1024)
    # Each worker takes connections from the one socket itself. It stays open here, so nobody is turned away while a worker starts.
    listening.set_inheritable(True)
    command = [sys.executable, "-m", "uvicorn", "office.app:app", "--fd", str(listening.fileno()), "--log-level", "warning"]

    def end(*_signal: object) -> None:
        nonlocal ending
        ending = True
        for worker in workers:
            os.kill(worker, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not ending or workers:
        while not ending and len(workers) < WORKERS:
            workers.add(os.spawnv(os.P_NOWAIT, sys.executable, command))
        workers.discard(os.wait()[0])
        # One that cannot start is not tried again and again without a pause.
        time.sleep(0.1)


if __name__ == "__main__":
    main()
