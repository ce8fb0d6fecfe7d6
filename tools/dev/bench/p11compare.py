#!/usr/bin/env python3
"""Compare PKCS#11 modules in one interleaved run of p11bench.

usage: p11compare.py PEERS.toml OUT.tsv [--rounds N] [--secs S] [--threads T]
                     [--groups G+G+...] [--only NAME,NAME] [--bench PATH] [--ours NAME] [--limit NAME]

Each round runs every group on every peer in turn, so that a busy machine hits
all alike. A group is a comma-separated list of test-name prefixes (see
p11bench.c). OUT.tsv gets, per test and peer, the median over the rounds of the
wall-clock figure and of the figure per second of CPU time, the one to compare
on a shared machine, and the spread of the latter: (largest - smallest) / median.

With --ours, every module's figure is also divided by ours of the same round, and
of these ratios the median and the half distance of the quartiles are kept: what
slows the machine for a second slows both. The last thing printed is a table of
ours against the best peer, and against the bare library that --limit names. The
status is 1 if a module failed, whatever the figures are.

PEERS.toml, one table a module:
    [softhsm]
    module = "PATH/libsofthsm2.so"
    token  = "bench"            # label, or decimal slot id
    pin    = "1234"
    init_args = ""              # optional: string passed to C_Initialize
    [softhsm.env]               # optional: environment of the module
    SOFTHSM2_CONF = "..."

A table with `program = "PATH"` is a program that runs the same tests by itself:
it gets the group as its one argument. `run = "PATH"` runs p11bench through PATH.
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
        if "run" in peer:
            argv.insert(0, peer["run"])
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=900)


def median(values):
    return f"{statistics.median(values):.5g}" if values else "-"


def spread(values):
    return (max(values) - min(values)) / statistics.median(values) if values else 0


def paired(figures, one, other, unit):
    """Median of one's figure divided by the other's, round by round, and half the distance of the quartiles; more is better."""
    pairs = [(a, b) if unit == "ops/s" else (b, a) for a, b in zip(figures.get(one, []), figures.get(other, [])) if a and b]
    ratios = [a / b for a, b in pairs]
    if not ratios:
        return None, None
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return statistics.median(ratios), (quartiles[2] - quartiles[0]) / 2


def against(key, cpu, wall, ours, limit):
    """Ours beside the best peer and the bare library: (peer, ratio, spread, ratio to the bare library, its spread)."""
    figures = cpu[key] if cpu[key].get(ours) else wall[key]
    per_second = key[2] == "ops/s"
    medians = {name: statistics.median(values) for name, values in figures.items() if values and name not in (ours, limit)}
    best = (max if per_second else min)(medians, key=medians.get) if medians and figures.get(ours) else None
    ratio, wide = paired(figures, ours, best, key[2]) if best else (None, None)
    return best, ratio, wide, *paired(figures, ours, limit, key[2])


def table(cpu, wall, order, ours, limit):
    print(f"\n{'test':28} {'thr':>3} {'ours':>11}  {'best peer':>12} {'ratio':>15}  {'to the bare library':>19}")
    behind = []
    for key in order:
        figures = cpu[key] if cpu[key].get(ours) else wall[key]
        best, ratio, wide, bare, bare_wide = against(key, cpu, wall, ours, limit)
        mine = median(figures.get(ours))
        beside = f"{ratio:8.2f} ± {wide:4.2f}" if ratio else f"{'-':>15}"
        to_bare = f"{bare:12.2f} ± {bare_wide:4.2f}" if bare else f"{'-':>19}"
        print(f"{key[0]:28} {key[1]:>3} {mine:>11}  {best or '-':>12} {beside:>15}  {to_bare:>19}")
        if ratio and ratio + wide < 1:
            behind.append(key[0])
    print(f"\n{len(behind)} behind the best peer by more than the spread" + (": " + ", ".join(behind) if behind else ""))


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
        for name, peer in peers.items():
            print(f"#{name}", peer.get("version", peer.get("module", peer.get("program"))), sep="\t", file=o)
        print(f"#rounds\t{args.rounds} of {args.secs} s a test", file=o)
        print("test", "threads", "unit", *[f"{n}:wall\t{n}:cpu\t{n}:spread" for n in peers],
              "best\tratio\t±\tbare\t±", sep="\t", file=o)
        for key in order:
            figures = [f"{median(wall[key].get(n))}\t{median(cpu[key].get(n))}\t{spread(cpu[key].get(n)):.2f}" for n in peers]
            beside = [f"{value:.3f}" if isinstance(value, float) else value or "-"
                      for value in against(key, cpu, wall, args.ours, args.limit)] if args.ours else ["-"] * 5
            print(*key, *figures, *beside, sep="\t", file=o)
        for test, who in skipped.items():
            print("#skipped", test, who, sep="\t", file=o)
    if args.ours:
        table(cpu, wall, order, args.ours, args.limit)
        for test, who in skipped.items():
            print(f"not run: {test}: " + ", ".join(f"{name} ({why})" for name, why in who.items()))
    return 1 if failed else 0


sys.exit(main())
