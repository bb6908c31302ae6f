"""The deck's echo client, its lines in their order, in Python 3. It connects to the deck's port, or to the one given:
client.py 50001
"""

import sys
from socket import *  # the deck has lost the star

host = "localhost"
port = int(sys.argv[1]) if len(sys.argv) > 1 else 50000  # the deck has 50000: two programs at a time cannot both have that
size = 1024

s = socket(AF_INET, SOCK_STREAM)
s.connect((host, port))
data = b"Hello World"  # the deck has no b: text could be sent in Python 2, in Python 3 only bytes can
s.send(data)
data = s.recv(size)
print(data)  # not in the deck: or else nobody would see the echo
s.close()
