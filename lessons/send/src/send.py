"""The deck's send in Python 3. Both ends are in this program: the server's kernel takes the connection by itself."""

from socket import AF_INET, SOCK_STREAM, socket

server = socket(AF_INET, SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen(1)
client = socket(AF_INET, SOCK_STREAM)
client.connect(server.getsockname())

data = b"Hello World"
sent = client.send(data)
print("sent", sent, "of", len(data))

client.close()
server.close()
