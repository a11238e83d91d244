"""Our side: an instance below a folder of its own, its programs, its processes."""
import json
import os
import subprocess

from measure import Subject


class Ours:
    def __init__(self, build, folder, tree, settings=""):
        """settings: of zoned.toml."""
        self.build = build
        self.tree = tree
        self.root = folder + "/root"
        self.zone = [build + "/zone", "--root", self.root]
        os.mkdir(self.root, 0o700)
        if settings:
            os.mkdir(self.root + "/etc", 0o700)
            with open(self.root + "/etc/zoned.toml", "w") as file:
                file.write(settings + "\n")
        self._daemon("--background")
        self.ok("label", "set", tree, "PUBLIC")  # zone run takes labelled trees alone

    def _daemon(self, option):
        with open(self.root + "/zoned.log", "a") as log:
            subprocess.run([self.build + "/zoned", "--root", self.root, option], check=True,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=120)

    def stop(self):
        self._daemon("--stop-all")

    def client(self, name, mode, argument):
        command = [self.build + "/bench/client", mode, self.root, argument]
        return Subject(name, command, "tests/bench/client.cc, " + mode)

    def spawn(self, name, arguments):
        command = self.zone + arguments
        return Subject(name, [self.build + "/bench/spawn"] + command, " ".join(command))

    def runs(self):
        """(over an open API connection, the whole program)"""
        return (self.client("api", "run", self.tree),
                self.spawn("zone run", ["run", "--from", "dir:" + self.tree, "--", "/bin/true"]))

    def execs(self):
        """The same for a zone that runs. The zone is left running."""
        self.ok("create", "held", "--set", 'command=["/bin/pause"]', "--from", "dir:" + self.tree,
                "--boot")
        return (self.client("api", "exec", "held"),
                self.spawn("zone exec", ["exec", "held", "--", "/bin/true"]))

    def ok(self, *arguments):
        done = subprocess.run(self.zone + list(arguments), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError("zone %s: %s" % (" ".join(arguments), done.stderr.strip()))
        return done.stdout

    def boot_idle(self, count):
        """Nanoseconds of each boot."""
        done = subprocess.run([self.build + "/bench/client", "boot", self.root, self.tree, str(count)],
                              capture_output=True, text=True, timeout=900)
        times = done.stdout.split("\n")[:-1]
        if done.returncode or not all(line.isdigit() for line in times):
            raise RuntimeError("client boot: " + (times[-1] if times else done.stderr))
        return [int(line) for line in times]

    def running(self):
        return sum(zone["state"] == "running" for zone in json.loads(self.ok("--json", "list")))

    def processes(self):
        """Pids of this instance's daemon and keepers."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/comm" % name) as file:
                    if file.read().strip() not in ("zoned", "zone-keeper"):
                        continue
                links = [os.readlink("/proc/%s/fd/%s" % (name, fd))
                         for fd in os.listdir("/proc/%s/fd" % name)]
            except OSError:
                continue
            if any(link.startswith(self.root) for link in links):
                found.append(int(name))
        return found

    def wake_ups(self):
        """Voluntary context switches so far of daemon and keepers."""
        total = 0
        pids = self.processes()
        if len(pids) < 2:
            raise RuntimeError("found no daemon and keeper of %s" % self.root)
        for pid in pids:
            with open("/proc/%d/status" % pid) as file:
                total += sum(int(line.split()[1]) for line in file
                             if line.startswith("voluntary_ctxt_switches"))
        return total
