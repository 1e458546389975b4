"""A path between two gateways over UDP on loopback: delays every datagram and can be cut."""
import heapq
import select
import socket
import threading
import time


class Relay:
    """`near` is where the one gateway finds the other, `far` the reverse.

    With hosts of the gateways it carries only what comes from their addresses, as a network does
    that answers go back through; `strays` counts the rest. The relay itself is at `host`.
    """

    def __init__(self, near_port, far_port, delay_seconds, host="127.0.0.1", hosts=None,
                 ports=(0, 0)):
        self.delay = delay_seconds
        self.cut = False
        self.carried = 0
        self.strays = 0
        self.sockets = []
        for port in ports:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((host, port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            one.setblocking(False)
            self.sockets.append(one)
        self.near, self.far = (one.getsockname()[1] for one in self.sockets)
        # What comes in at `near` was sent by the near gateway and leaves `far` for the far one.
        near, far = (list(zip(hosts, (near_port, far_port))) if hosts else
                     [("127.0.0.1", near_port), ("127.0.0.1", far_port)])
        self.ways = {self.sockets[0]: (self.sockets[1], far),
                     self.sockets[1]: (self.sockets[0], near)}
        self.sources = {self.sockets[0]: near, self.sockets[1]: far} if hosts else {}
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
                        data, source = one.recvfrom(65536)
                        if source != self.sources.get(one, source):
                            self.strays += 1
                        elif not self.cut:
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
