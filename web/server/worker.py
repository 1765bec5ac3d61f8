"""gunicorn worker that serves with waitress: gunicorn starts it, replaces it when it dies, and passes signals on."""

from __future__ import annotations

import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker
from waitress.adjustments import Adjustments

from emotions.runtime.memory import CodePages, reserved_bytes, resident_bytes, share_decode_budget, trim_heap

from .bodies import UploadBudget
from .connections import MAX_BODY, MAX_HEADER, Server
from .queue import AdmissionQueue
from .sockets import Sockets

CONNECTIONS = 2000
"""Connections that are open at once."""
MAX_UNSENT = 2**20
"""Bytes of a streamed answer that wait for a slow client before its producer waits."""

BASE_BYTES = 180 * 2**20
"""Memory of the process beside decoding, uploads included, beyond which images and videos are decoded one after the other."""
RESTING_SECONDS = 5.0
"""Seconds without requests after which spare memory is freed."""
RESTING_BYTES = 4 * 2**20
"""Bytes by which pages of code have grown from which they are released at rest."""
TRIM_BYTES = 8 * 2**20
"""Bytes of uploads after which, as soon as no model runs, spare memory is freed: that then delays nobody."""


class BoundedWorker(Worker):
    """Worker whose clients can neither hold a thread nor more memory than the settings allow."""

    def run(self) -> None:
        """Serve until gunicorn says otherwise."""
        # Here, since gunicorn's parent process imports this module too.
        from ..inference import IDLE_SECONDS, unload_seldom_used

        application = self.wsgi
        config = application.config
        queue = AdmissionQueue(self.cfg.threads, config["QUEUE_SECONDS"])
        if metrics := application.extensions["metrics"]:
            metrics.watch_queue(queue)
        sockets = Sockets()
        adj = adjustments(raise_file_limit(CONNECTIONS), self.cfg.backlog)
        uploads = UploadBudget(config["UPLOAD_MB"] * 2**20)
        servers = [Server(application, sock.sock, queue, uploads, adj, sockets) for sock in self.sockets]
        code = CodePages()

        def free_spare() -> None:
            unload_seldom_used(application)
            code.release()

        share_decode_budget(lambda: max(0, resident_bytes() - reserved_bytes() - BASE_BYTES), free_spare)
        tidied = time.monotonic()
        while self.alive and self.ppid == os.getppid():
            self.notify()
            sockets.turn(1.0)
            if queue.work.finished_bytes > TRIM_BYTES and queue.work.idle:
                queue.work.finished_bytes = 0
                trim_heap()
                code.release()
            if time.monotonic() - tidied > IDLE_SECONDS / 4 and queue.work.idle:
                tidied = time.monotonic()
                unload_seldom_used(application, IDLE_SECONDS)
            if time.monotonic() - queue.work.last_finished > RESTING_SECONDS and queue.work.idle:
                if queue.work.finished_bytes:
                    queue.work.finished_bytes = 0
                    trim_heap()
                code.release(RESTING_BYTES)
        self._finish(application, servers, queue, sockets)

    def _finish(self, application: Any, servers: list[Server], queue: AdmissionQueue, sockets: Sockets) -> None:
        """Let requests finish within GRACE_SECONDS; then end those that wait with 503, and those that run at their next check."""
        grace = application.config["GRACE_SECONDS"]
        started, ended = time.monotonic(), False
        while time.monotonic() - started < grace + 2:
            for server in servers:
                server.close_idle()
            if all(not server.active_channels for server in servers) and queue.idle:
                break
            if not ended and time.monotonic() - started > grace:
                ended = True
                application.extensions["stopping"].set()
                queue.refuse_waiting("shutting_down")
            sockets.turn(0.1)
        queue.shutdown()


def adjustments(connections: int, backlog: int) -> Adjustments:
    """Return waitress' settings for at most `connections` open connections and `backlog` that are not accepted yet."""
    return Adjustments(
        ident="",
        server_name="localhost",
        connection_limit=connections,
        cleanup_interval=1,
        channel_timeout=3600,  # replaced by Channel.check
        channel_request_lookahead=1,  # or a connection that is closed meanwhile is not noticed
        max_request_header_size=MAX_HEADER,
        max_request_body_size=MAX_BODY + 1,
        recv_bytes=2**16,
        outbuf_overflow=2**26,  # answers stay in memory: there is no other place on App Engine
        outbuf_high_watermark=MAX_UNSENT,
        clear_untrusted_proxy_headers=False,  # the application reads X-Forwarded-Proto for its headers alone
        backlog=backlog,
    )


def raise_file_limit(wanted: int) -> int:
    """Raise the soft limit of open files as far as `wanted` connections need; return how many connections there may be."""
    spare = 100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(soft, wanted + spare if hard == resource.RLIM_INFINITY else min(wanted + spare, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - spare)
