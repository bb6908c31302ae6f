"""The deck's accept in Python 3, and a client for it to accept. The port is of the kernel's choosing, or given: accept.py 50000"""

import sys
from socket import AF_INET, SOCK_STREAM, socket

host = "127.0.0.1"
port = int(sys.argv[1]) if len(sys.argv) > 1 else 0

s = socket(AF_INET, SOCK_STREAM)
s.bind((host, port))
s.listen(5)

visitor = socket(AF_INET, SOCK_STREAM)
visitor.connect(s.getsockname())

client, address = s.accept()
print("accepted", address, "as descriptor", client.fileno())

client.close()
visitor.close()
s.close()
