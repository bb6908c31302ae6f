"""The deck's three kinds of address in Python 3. A socket of each family is bound, and asked for its name."""

from os import chdir
from socket import AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM, socket
from tempfile import TemporaryDirectory

addresses = [
    (AF_UNIX, "demo.sock"),  # a string
    (AF_INET, ("127.0.0.1", 0)),  # host, port
    (AF_INET6, ("::1", 0, 0, 0)),  # host, port, flow_info, scope_id
]

with TemporaryDirectory() as directory:
    chdir(directory)  # where demo.sock will be made
    for family, address in addresses:
        try:
            with socket(family, SOCK_STREAM) as s:
                s.bind(address)
                print(family.name, s.getsockname())
        except OSError as error:  # a machine without IPv6
            print(family.name, error)
