"""The deck's bind in Python 3. It binds to a port of the kernel's choosing, or to the one given: bind.py 50000"""

import sys
from socket import AF_INET, SOCK_STREAM, socket

host = "127.0.0.1"  # the deck has '', which is every address of the machine
port = int(sys.argv[1]) if len(sys.argv) > 1 else 0

s = socket(AF_INET, SOCK_STREAM)
s.bind((host, port))
print("bound to", s.getsockname())
s.close()
