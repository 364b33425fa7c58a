"""Processes that are started, awaited and ended by whoever started them."""
import atexit
import os
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """Something that the suite needs did not come about. The text says what."""


class PortTaken(Failed):
    """Somebody else got a port between its choice and its use: any connection of this machine may."""


_GIVEN = set()


def free_port():
    """A port of the loopback interface that nobody listens on, chosen by the kernel, and another one each time."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


def until(question, seconds, what, every=0.1):
    """Asks until the answer is true and gives it back; `Failed` after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} seconds")
        time.sleep(every)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.3).close()
        return True
    except OSError:
        return False


def run(command, log=None, timeout=900, **more):
    """Runs a command to its end and gives back what it wrote; `Failed` with its last lines if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=timeout, stdin=subprocess.DEVNULL, **more)
    if log:
        with open(log, "a") as file:
            file.write(f"$ {' '.join(map(str, command))}\n{done.stdout}")
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-1500:]}")
    return done.stdout


_RUNNING = set()


def stop_all():
    """Ends every process that was started here and still runs."""
    for process in list(_RUNNING):
        process.stop(0)


class Process:
    """One process and its children (a process group of its own), with its output in a file."""

    def __init__(self, command, log, env=None, cwd=None, stdin=None, pass_fds=()):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen([str(part) for part in command], stdout=out, stderr=out, cwd=cwd,
                                          stdin=stdin or subprocess.DEVNULL, start_new_session=True,
                                          pass_fds=pass_fds, env={**os.environ, **(env or {})})
        _RUNNING.add(self)

    def listening(self, port, seconds=60):
        """Waits until it listens on a port; `Failed`, with its last words, if it ends or takes too long."""
        def question():
            if self.child.poll() is not None:
                raise Failed(f"{self.log}: ended with {self.child.returncode}:\n{self.tail()}")
            return listens(port)
        until(question, seconds, f"{self.log}: listening on {port}")
        return self

    def tail(self, size=1500):
        with open(self.log, errors="replace") as file:
            return file.read()[-size:]

    def signal(self, number):
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, patience=10):
        """Ends it and what it started: asks first, and insists after so many seconds."""
        if self.child.poll() is None and patience:
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        if self.child.returncode is None or not patience:
            self.signal(signal.SIGKILL)
            self.child.wait()
        _RUNNING.discard(self)


atexit.register(stop_all)


def end_on_signals():
    """Makes signals end this program and what it started, whatever its threads are doing."""
    def leave(number, _):
        stop_all()
        os._exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)
