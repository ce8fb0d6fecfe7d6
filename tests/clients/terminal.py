"""Runs a program on a terminal of its own and prints the screen: terminal.py PROGRAM STEP..., each step
`expected text>>>what is typed then`. What is asked for as a password is typed once the terminal no longer shows what is typed.
"""
import os
import pty
import re
import select
import sys
import termios
import time

program, steps = sys.argv[1].split(), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(program[0], program)
seen, everything = "", ""
for step in steps:
    wanted, typed = step.split(">>>", 1)
    end = time.monotonic() + 20
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                more = os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                more = ""
            if not more:
                break
            # Without the control sequences of the line editor.
            seen += re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", more)
        if time.monotonic() > end:
            break
    if wanted not in seen:
        sys.exit(f"waited in vain for {wanted!r}; there was: {everything + seen!r}")
    # What stands behind the expected text is of the next step.
    at = seen.index(wanted) + len(wanted)
    everything, seen = everything + seen[:at], seen[at:]
    while "assword" in wanted and termios.tcgetattr(terminal)[3] & termios.ECHO and time.monotonic() < end:
        time.sleep(0.005)
    os.write(terminal, typed.encode().decode("unicode_escape").encode())
everything += seen
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    everything += more.decode(errors="replace")
_, status = os.waitpid(pid, 0)
print(everything)
sys.exit(os.waitstatus_to_exitcode(status))
