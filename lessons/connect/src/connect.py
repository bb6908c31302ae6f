"""The deck's connect in Python 3. It connects to the port that it is given (connect.py 50000), or to a server of its own."""

import sys
from socket import AF_INET, SOCK_STREAM, socket

host = "localhost"
if len(sys.argv) > 1:
    port = int(sys.argv[1])
else:
    server = socket(AF_INET, SOCK_STREAM)
    server.bind((host, 0))
    server.listen(5)
    port = server.getsockname()[1]

s = socket(AF_INET, SOCK_STREAM)
s.connect((host, port))
print("connected from", s.getsockname(), "to", s.getpeername())
s.close()
