# Runs a command on a pseudo-terminal of its own and plays a user: waits for text, types, resizes. One JSON object in, one out.
#   {"command": [...], "cwd": "...", "columns": 80, "term": "xterm", "steps": [{"wait": "text"} | {"send": "text"} | {"bytes": [..]} | {"resize": [rows, columns]} | {"pause": seconds} | {"more": bytes}], "timeout": 20}
# Out: what the screen received (Latin-1 of its bytes), the exit status, and which step was not reached in time (null when all were).
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

job = json.load(sys.stdin)
deadline = time.monotonic() + job.get("timeout", 20)


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, fd = pty.fork()
if pid == 0:
    os.chdir(job["cwd"])
    os.environ["TERM"] = job.get("term", "xterm")
    os.execvp(job["command"][0], job["command"])
resize(fd, 24, job.get("columns", 80))

seen = b""
open_ = True


def take(seconds):
    """Reads what is there, waiting for it at most so long."""
    global seen, open_
    if not open_:
        return
    ready, _, _ = select.select([fd], [], [], max(0, seconds))
    if not ready:
        return
    try:
        data = os.read(fd, 65536)
    except OSError:  # the other side is gone
        data = b""
    if data == b"":
        open_ = False
    seen += data


def send(data):
    """A terminal takes only so much at once, while the program echoes."""
    while data and time.monotonic() < deadline:
        _, writable, _ = select.select([], [fd], [], 0.1)
        if writable:
            data = data[os.write(fd, data[:512]):]
        take(0)


missed = None
searched = 0
for number, step in enumerate(job["steps"]):
    if "wait" in step:
        wanted = step["wait"].encode()
        while True:
            at = seen.find(wanted, searched)
            if at >= 0:
                searched = at + len(wanted)
                break
            if not open_ or time.monotonic() > deadline:
                missed = number
                break
            take(0.05)
        if missed is not None:
            deadline = time.monotonic() + 0.2
            break
    elif "more" in step:
        while len(seen) < searched + step["more"] and missed is None:
            if not open_ or time.monotonic() > deadline:
                missed = number
            take(0.05)
        if missed is not None:
            deadline = time.monotonic() + 0.2
            break
    elif "send" in step:
        send(step["send"].encode())
    elif "bytes" in step:
        send(bytes(step["bytes"]))
    elif "resize" in step:
        resize(fd, *step["resize"])
    elif "pause" in step:
        end = time.monotonic() + step["pause"]
        while time.monotonic() < end:
            take(0.02)

while open_ and time.monotonic() < deadline:
    take(0.05)
if open_:
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
json.dump({"screen": seen.decode("latin-1"), "code": code, "missed": missed}, sys.stdout)
