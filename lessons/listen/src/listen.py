"""The deck's listen in Python 3. It listens on a port of the kernel's choosing, or on the one given: listen.py 50000"""

import sys
from socket import AF_INET, SOCK_STREAM, socket

host = "127.0.0.1"
port = int(sys.argv[1]) if len(sys.argv) > 1 else 0

s = socket(AF_INET, SOCK_STREAM)
s.bind((host, port))
backlog = 5
s.listen(backlog)
print("listening at", s.getsockname())
s.close()
