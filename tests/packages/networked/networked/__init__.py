"""Reaches hosts, in the ways that there are."""

import asyncio
import http.client
import socket
import threading
import urllib.request


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


def fetch_directly(host, port):
    """By a client that asks for no proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def send(host, port, text=""):
    """What a host answers until it closes."""
    with socket.socket() as connection:
        connection.settimeout(20)
        connection.connect((host, port))
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()


async def send_async(host, port, text=""):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(text.encode())
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.decode()


def send_datagram(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", (host, port))


def listen(host, port):
    with socket.create_server((host, port)) as server:
        return server.getsockname()[1]


async def serve_itself(host, port):
    """By a server of its own, once by an event loop and once by a socket that waits."""

    async def greet(_, writer):
        writer.write(b"mine")
        writer.close()

    async with await asyncio.start_server(greet, host, port) as server:
        port = server.sockets[0].getsockname()[1]
        return [await send_async(host, port), await asyncio.get_running_loop().run_in_executor(None, send, host, port)]


def look_up(name):
    return socket.gethostbyname(name)


async def talk_to_itself():
    """By what needs no network: a pair, the pipe of an event loop, threads."""
    ours, its = socket.socketpair()
    with ours, its:
        threading.Thread(target=its.sendall, args=(b"hello",)).start()
        return (await asyncio.get_running_loop().run_in_executor(None, ours.recv, 5)).decode()
