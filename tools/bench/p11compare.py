#!/usr/bin/env python3
"""Compare PKCS#11 modules in one interleaved run of p11bench.

usage: p11compare.py PEERS.toml OUT.tsv [--rounds N] [--secs S] [--threads T]
                     [--groups G+G+...] [--only NAME,NAME] [--bench PATH] [--ours NAME] [--limit NAME]

Each round runs every group on every peer in turn, so that a busy machine hits
all alike. A group is a comma-separated list of test-name prefixes (see
p11bench.c). OUT.tsv gets, per test and peer, the median over the rounds of the
wall-clock figure and of the figure per second of CPU time, the one to compare
on a shared machine, and the spread of the latter: (largest - smallest) / median.

With --ours, the last thing printed is a table of that module's CPU figure
divided by that of the best peer, and by that of the bare library that --limit
names. The status is 1 if a module failed, whatever the figures are.

PEERS.toml, one table a module:
    [softhsm]
    module = "PATH/libsofthsm2.so"
    token  = "bench"            # label, or decimal slot id
    pin    = "1234"
    init_args = ""              # optional: string passed to C_Initialize
    [softhsm.env]               # optional: environment of the module
    SOFTHSM2_CONF = "..."

A table with `program = "PATH"` is a program that runs the same tests by itself:
it gets the group as its one argument.
"""
import argparse
import collections
import os
import statistics
import subprocess
import sys
import tomllib

DEFAULT_GROUPS = "+".join([
    "session,random,attr", "digest,hmac,wrap", "encrypt,decrypt/aes",
    "sign/ecdsa,verify/ecdsa,derive,sign/ed25519,keygen/ec-p256-session,keygen/aes256-session",
    "sign/rsa2048,verify/rsa2048,decrypt/rsa", "sign/rsa3072,sign/rsa4096,verify/rsa3072,verify/rsa4096",
    "token-key", "keygen/aes256-token,keygen/ec-p256-token", "login,cold",
])


def run(bench, peer, group, args):
    env = dict(os.environ, P11BENCH_NO_HEADER="1", P11BENCH_SECS=str(args.secs), P11BENCH_REPS="1")
    env.update(peer.get("env", {}))
    if peer.get("init_args"):
        env["P11BENCH_INIT_ARGS"] = peer["init_args"]
    if "program" in peer:
        argv = [peer["program"], group]
    else:
        argv = [bench, peer["module"], str(peer["token"]), peer["pin"], group, str(args.threads)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=900)


def median(values):
    return f"{statistics.median(values):.5g}" if values else "-"


def spread(values):
    return (max(values) - min(values)) / statistics.median(values) if values else 0


def table(cpu, wall, order, ours, limit):
    """Ours against the best peer and the bare library. Where there is no CPU figure the unit says whether less is better."""
    print(f"\n{'test':28} {'thr':>3} {'ours':>11} {'best peer':>22} {'ratio':>7} {'spread':>7} {'bare':>11} {'ratio':>6}")
    behind = []
    for key in order:
        test, threads, unit = key
        figures = cpu[key] if cpu[key].get(ours) else wall[key]
        per_second = unit == "ops/s"
        medians = {name: statistics.median(values) for name, values in figures.items() if values}
        mine, bare = medians.pop(ours, None), medians.pop(limit, None)
        if mine is None or not medians:
            print(f"{test:28} {threads:>3} {'-' if mine is None else format(mine, '.5g'):>11} {'no peer' if not medians else 'not ours':>22}")
            continue
        best = (max if per_second else min)(medians, key=medians.get)
        ratio = mine / medians[best] if per_second else medians[best] / mine
        wide = max(spread(figures[ours]), spread(figures[best]))
        to_bare = f"{bare:11.5g} {mine / bare:6.2f}" if bare else f"{'-':>11} {'-':>6}"
        print(f"{test:28} {threads:>3} {mine:11.5g} {best + ' ' + format(medians[best], '.5g'):>22} {ratio:7.2f} {wide:7.0%} {to_bare}")
        if ratio < 1:
            behind.append(test)
    print(f"\n{len(behind)} behind the best peer" + (": " + ", ".join(behind) if behind else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("peers"), p.add_argument("out")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--secs", type=float, default=0.3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--groups", default=DEFAULT_GROUPS)
    p.add_argument("--only", default="")
    p.add_argument("--ours", default="")
    p.add_argument("--limit", default="")
    p.add_argument("--bench", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "p11bench"))
    args = p.parse_args()
    with open(args.peers, "rb") as f:
        peers = tomllib.load(f)
    if args.only:
        peers = {k: peers[k] for k in args.only.split(",")}

    wall = collections.defaultdict(lambda: collections.defaultdict(list))
    cpu = collections.defaultdict(lambda: collections.defaultdict(list))
    skipped, order, failed = collections.defaultdict(dict), [], False
    for n in range(args.rounds):
        for group in args.groups.split("+"):
            for name, peer in peers.items():
                print(f"round {n + 1}/{args.rounds}  {name:12} {group}", file=sys.stderr)
                result = run(args.bench, peer, group, args)
                for line in result.stdout.splitlines():
                    f = line.split("\t")
                    if len(f) < 7:
                        continue
                    key = (f[0], f[1], f[3])
                    if key not in order:
                        order.append(key)
                    wall[key][name].append(float(f[2]))
                    if f[6] != "-":
                        cpu[key][name].append(float(f[6]))
                failed |= result.returncode != 0
                for line in result.stderr.splitlines():
                    f = line.split("\t")
                    if f[0] == "skip" and len(f) >= 4:
                        skipped[f[1]][name] = f"{f[2]} {f[3]}"
                    elif result.returncode:
                        print(f"  {name}: {line}", file=sys.stderr)

    with open(args.out, "w") as o:
        print("test", "threads", "unit", *[f"{n}:wall\t{n}:cpu\t{n}:spread" for n in peers], sep="\t", file=o)
        for key in order:
            figures = [f"{median(wall[key].get(n))}\t{median(cpu[key].get(n))}\t{spread(cpu[key].get(n)):.2f}" for n in peers]
            print(*key, *figures, sep="\t", file=o)
        for test, who in skipped.items():
            print("#skipped", test, who, sep="\t", file=o)
    if args.ours:
        table(cpu, wall, order, args.ours, args.limit)
        for test, who in skipped.items():
            print(f"not run: {test}: " + ", ".join(f"{name} ({why})" for name, why in who.items()))
    return 1 if failed else 0


sys.exit(main())
