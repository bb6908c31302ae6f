"""The deck's three kinds of address in Python 3. A socket of each family is bound and asked for its name."""

from socket import AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM, socket

addresses = [
    (AF_UNIX, "demo.sock"),  # a string
    (AF_INET, ("127.0.0.1", 0)),  # host and port
    (AF_INET6, ("::1", 0, 0, 0)),  # host, port, flow_info, scope_id
]

for family, address in addresses:
    s = socket(family, SOCK_STREAM)
    s.bind(address)
    print(family.name, s.getsockname())
    s.close()
