#!/usr/bin/python3
"""mdpipe-keygen, and other programs that use its files: PyZMQ reads them, and a consumer with one of them receives ws-reader's tap
encrypted. Without a key, no program connects to another host."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest

import zmq
import zmq.auth

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, binary, free_port, wait_for  # noqa: E402


def keygen(*arguments):
    return subprocess.run([binary("mdpipe-keygen"), *arguments], capture_output=True, text=True, check=False)


def files(folder, name):
    return os.path.join(folder, f"{name}.key"), os.path.join(folder, f"{name}.key_secret")


class KeygenTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mdpipe-keygen-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def make(self, name):
        made = keygen(f"--name={name}", f"--directory={self.folder}")
        self.assertEqual((0, ""), (made.returncode, made.stderr))
        return made.stdout

    def test_writes_two_files_for_their_owner_alone(self):
        previous = os.umask(0)
        self.addCleanup(os.umask, previous)
        said = self.make("reader")
        public, secret = files(self.folder, "reader")
        for path in (public, secret):
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
            self.assertIn(path, said)
        public_key, secret_key = zmq.auth.load_certificate(secret)
        self.assertEqual((public_key, None), zmq.auth.load_certificate(public))
        self.assertEqual(public_key, zmq.curve_public(secret_key))
        self.assertIn(public_key.decode(), said)
        self.assertNotIn(secret_key.decode(), said)

    def test_each_key_is_new(self):
        self.make("a")
        self.make("b")
        self.assertNotEqual(*(zmq.auth.load_certificate(files(self.folder, name)[0])[0] for name in "ab"))

    def test_never_overwrites_and_leaves_no_half(self):
        self.make("reader")
        public, secret = files(self.folder, "reader")
        with open(secret, encoding="utf-8") as file:
            before = file.read()
        again = keygen("--name=reader", f"--directory={self.folder}")
        self.assertEqual((78, ""), (again.returncode, again.stdout))
        self.assertIn(secret, again.stderr)
        with open(secret, encoding="utf-8") as file:
            self.assertEqual(before, file.read())
        os.unlink(secret)
        self.assertEqual(78, keygen("--name=reader", f"--directory={self.folder}").returncode)
        self.assertEqual([os.path.basename(public)], os.listdir(self.folder), "no secret key without its public one")

    def test_wrong_names_are_refused(self):
        for arguments, code in ((["--name="], 78), ([], 78), (["--name=../x"], 78), (["--nmae=x"], 64)):
            made = keygen(*arguments, f"--directory={self.folder}")
            self.assertEqual(code, made.returncode, arguments)
            self.assertEqual(1, len(made.stderr.splitlines()))
        self.assertEqual([], os.listdir(self.folder))


class ClearTextTest(unittest.TestCase):
    def test_every_endpoint_stays_on_its_host_unless_asked_otherwise_by_name(self):
        reader = ["--exchange=gmo", "--symbols=BTC_JPY"]
        for program, arguments, options in (("ws-reader", reader, ("events", "positions", "metrics", "tap")),
                                            ("md-publisher", [], ("events", "positions", "metrics")),
                                            ("metrics-agent", [], ("metrics",))):
            for option in options:
                with self.subTest(f"{program} {option}"):
                    command = [binary(program), *arguments, f"--{option}-endpoint=tcp://0.0.0.0:5555", "--check-config"]
                    checked = subprocess.run(command, capture_output=True, text=True, check=False)
                    self.assertEqual((78, 1), (checked.returncode, len(checked.stderr.splitlines())))
                    self.assertIn(f"--{option}-endpoint", checked.stderr)
                    self.assertIn("--allow-clear-text-tcp", checked.stderr)
                    subprocess.run([*command, "--allow-clear-text-tcp"], capture_output=True, check=True)


class EncryptedTapTest(unittest.TestCase):
    def test_a_consumer_with_a_known_key_hears_the_tap(self):
        stack = Stack()
        self.addCleanup(stack.__exit__)
        for name in ("reader", "consumer"):
            keygen(f"--name={name}", f"--directory={stack.folder}")
        peers = os.path.join(stack.folder, "peers")
        os.mkdir(peers)
        consumer, reader = files(stack.folder, "consumer"), files(stack.folder, "reader")
        with open(consumer[0], encoding="utf-8") as source, open(os.path.join(peers, "consumer.key"), "w", encoding="utf-8") as copy:
            copy.write(source.read())
        _, url = stack.simulator("gmo", symbols="BTC_JPY", rate=100)
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        program = stack.reader("gmo", symbols="BTC_JPY", channels="ticker", url=url, tap_endpoint=endpoint, curve_key_file=reader[1],
                               curve_peers_dir=peers)

        with zmq.Context() as context, context.socket(zmq.SUB) as tap, context.socket(zmq.SUB) as nobody:
            for socket, keys in ((tap, zmq.auth.load_certificate(consumer[1])), (nobody, zmq.curve_keypair())):
                socket.linger = 0
                socket.curve_publickey, socket.curve_secretkey = keys
                socket.curve_serverkey = zmq.auth.load_certificate(reader[0])[0]
                socket.subscribe("gmo.ticker.")
                socket.connect(endpoint)
            wait_for(lambda: tap.poll(100), "an event")
            self.assertEqual(b"gmo.ticker.BTC_JPY", tap.recv_multipart()[0])
            program.wait_log("a connection is refused: its key is not in --curve-peers-dir")
            self.assertFalse(nobody.poll(0))


if __name__ == "__main__":
    unittest.main()
