"""The deck's recv in Python 3, and the word that another end sends to it, so that there is something to receive."""

from socket import AF_INET, SOCK_STREAM, create_connection, socket

server = socket(AF_INET, SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(1)
other_end = create_connection(server.getsockname())
client, address = server.accept()
other_end.sendall(b"Hello World")
other_end.close()

size = 1024
data = client.recv(size)
print(data)
print(client.recv(size))
client.close()
server.close()
