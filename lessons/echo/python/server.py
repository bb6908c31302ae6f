"""The deck's echo server, its lines in their order, in Python 3. It listens at the deck's port, or at the one given:
server.py 50001. (0 is one of the kernel's choosing.)

It is wrong in two ways, as it was in the deck: one recv may not be the whole message, and one send may not send it all.
"""

import sys
from socket import *  # the deck has lost the star

host = "127.0.0.1"  # the deck has '', which is every address of the machine
port = 50000
if len(sys.argv) > 1:  # not in the deck: a test needs another port, because somebody may have that one
    port = int(sys.argv[1])
backlog = 5
size = 1024

s = socket(AF_INET, SOCK_STREAM)
s.bind((host, port))
s.listen(backlog)
print("listening at", s.getsockname(), flush=True)  # not in the deck: whoever asked for port 0 must learn the number
while True:
    client, address = s.accept()
    data = client.recv(size)
    client.send(data)
    client.close()
