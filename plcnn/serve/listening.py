"""The socket that a server listens at."""

import socket

from plcnn.errors import UserError
from plcnn.files import reason


def listen(host: str, port: int) -> socket.socket:
    """Open a socket whose connections send what they have at once.

    asyncio asks for that itself only where it has made the socket; without it, an answer in two parts takes 40 ms more,
    for the second waits until the first has been acknowledged.

    Args:
        host: an address of this machine.
        port: 0 for one that is free.

    Raises:
        UserError: if the port is taken or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = reason(error).split(" (while")[0]  # Python adds the address
        raise UserError(f"--host {host} --port {port}: {why}. --port 0 takes a port that is free.") from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those accepted have it, too
    return listening
