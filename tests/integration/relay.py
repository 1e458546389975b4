"""A path between two gateways over UDP on loopback: delays every datagram and can be cut."""
import heapq
import select
import socket
import threading
import time


class Relay:
    """`near` is where the one gateway finds the other, `far` the reverse."""

    def __init__(self, near_port, far_port, delay_seconds):
        self.delay = delay_seconds
        self.cut = False
        self.carried = 0
        self.sockets = []
        for _ in range(2):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind(("127.0.0.1", 0))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            one.setblocking(False)
            self.sockets.append(one)
        self.near, self.far = (one.getsockname()[1] for one in self.sockets)
        # What comes in at `near` was sent by the near gateway and leaves `far` for the far one.
        self.ways = {self.sockets[0]: (self.sockets[1], ("127.0.0.1", far_port)),
                     self.sockets[1]: (self.sockets[0], ("127.0.0.1", near_port))}
        self.stopping = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def close(self):
        self.stopping = True
        self.thread.join()
        for one in self.sockets:
            one.close()

    def _run(self):
        waiting = []
        count = 0
        while not self.stopping:
            due = waiting[0][0] - time.monotonic() if waiting else 0.1
            ready, _, _ = select.select(self.sockets, [], [], min(max(due, 0), 0.1))
            now = time.monotonic()
            for one in ready:
                try:
                    while True:
                        data = one.recv(65536)
                        if not self.cut:
                            count += 1
                            heapq.heappush(waiting, (now + self.delay, count, one, data))
                except BlockingIOError:
                    pass
            while waiting and waiting[0][0] <= now:
                _, _, came_by, data = heapq.heappop(waiting)
                out, address = self.ways[came_by]
                if not self.cut:
                    self.carried += 1
                    out.sendto(data, address)
