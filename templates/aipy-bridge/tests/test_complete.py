"""Against a server on this machine that speaks as OpenAI's does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from loguru import logger

from aipy_bridge import complete


@pytest.fixture
def server():
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            good = self.headers["Authorization"] == "Bearer good-key"
            message = {"role": "assistant", "content": "an answer"}
            body = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "any",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
            data = json.dumps(body if good else {"error": {"message": "wrong key"}}).encode()
            self.send_response(200 if good else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def model(server, **more):
    return {"type": "openai", "base_url": "http://127.0.0.1:{}/v1".format(server.server_port), "model": "any", **more}


def test_the_model_is_asked_and_its_answer_is_given(server):
    assert complete("a question", model=model(server, api_key="good-key")) == "an answer"
    assert server.asked[0]["messages"] == [{"role": "user", "content": "a question"}]
    assert server.asked[0]["model"] == "any"


def test_what_the_server_says_against_it_is_an_error(server):
    with pytest.raises(ConnectionError, match="wrong key"):
        complete("a question", model=model(server, api_key="bad-key"))


def test_the_key_is_in_no_log(server):
    lines = []
    sink = logger.add(lines.append)
    with pytest.raises(ConnectionError):
        complete("a question", model=model(server, api_key="bad-key"))
    logger.remove(sink)
    assert not lines


@pytest.mark.parametrize(("of", "message"), [({"type": "openai"}, "no `api_key`"), ({"type": "odd"}, "no such `type`")])
def test_a_model_that_can_not_be_used_is_an_error(of, message):
    with pytest.raises(ValueError, match=message):
        complete("a question", model=of)
