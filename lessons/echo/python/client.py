"""The deck's echo client, its lines in their order, in Python 3. It connects to the deck's port, or to the one given:
client.py 50001
"""

import sys
from socket import *  # the deck has lost the star

host = "localhost"
port = 50000
if len(sys.argv) > 1:  # not in the deck: a test needs another port, because somebody may have that one
    port = int(sys.argv[1])
size = 1024

s = socket(AF_INET, SOCK_STREAM)
s.connect((host, port))
data = b"Hello World"  # the deck has no b: text could be sent in Python 2, in Python 3 only bytes can
s.send(data)
data = s.recv(size)
print(data)  # not in the deck: or else nobody would see the echo
s.close()
