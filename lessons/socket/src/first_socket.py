"""The deck's first two lines in Python 3: a socket, and what it says of itself."""

from socket import AF_INET, SOCK_STREAM, socket  # the deck has "from socket import", and no name after it

s = socket(AF_INET, SOCK_STREAM)
print("descriptor", s.fileno(), "family", s.family, "type", s.type, "protocol", s.proto)
s.close()
