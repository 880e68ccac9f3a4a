# SPDX-License-Identifier: MIT OR Apache-2.0
"""linux.py: the Linux guest: Debian's cloud kernel, fetched once, and an initramfs of our init and one program."""
import glob
import gzip
import lzma
import os
import re
import shutil
import subprocess
import tempfile

from machine import Failed

META = "linux-image-cloud-amd64"
PLAIN = ["virtio_pci", "virtio_net", "virtio_blk"]
# ext4 asks for the last two by a name that is no dependency; the second is the CPU's own instruction.
EXT4 = PLAIN + ["crc32c_generic", "crc32c_intel", "ext4"]


def output(*command, where=None):
    """What it printed; None when it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=where, check=False)
    return done.stdout.decode() if done.returncode == 0 else None


def download(folder):
    """The package's file, from the mirror that this machine's apt uses and checks."""
    given = os.environ.get("CAPOS_BENCH_KERNEL")
    if given:
        return given
    depends = output("apt-cache", "depends", "--important", META) or ""
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    root = ["-o", "APT::Sandbox::User=root"] if os.getuid() == 0 else []
    if not found or output("apt-get", *root, "download", "-qq", found.group(1), where=folder) is None:
        raise Failed("the Linux guest's kernel, Debian's %s, cannot be fetched.\nTry `apt-get update` as root, or name a copy of "
                     "linux-image-VERSION-cloud-amd64 in CAPOS_BENCH_KERNEL=FILE.deb" % META)
    return glob.glob(os.path.join(folder, "*.deb"))[0]


class Linux:
    def __init__(self, build):
        self.folder = os.path.join(build, "bench/linux")
        self.guest = os.path.join(build, "bench/guest")
        self.kernel = os.path.join(self.folder, "vmlinuz")
        if not os.path.exists(self.kernel):
            self._fetch()
        with open(os.path.join(self.folder, "version")) as file:
            self.version = file.read().strip()
        self.modules = {}
        for path in glob.glob(self.folder + "/modules/**/*.ko*", recursive=True):
            self.modules[os.path.basename(path).split(".")[0].replace("-", "_")] = path

    def _fetch(self):
        print("  FETCH    %s" % META, flush=True)
        os.makedirs(self.folder, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as work:
            deb = download(work)
            if output("dpkg-deb", "-x", deb, work + "/x") is None:
                raise Failed("%s is no Debian package" % deb)
            shutil.rmtree(self.folder + "/modules", ignore_errors=True)
            shutil.move(glob.glob(work + "/x/**/modules/*/kernel", recursive=True)[0], self.folder + "/modules")
            with open(self.folder + "/version", "w") as file:
                file.write(output("dpkg-deb", "-W", "--showformat=${Package} ${Version}", deb))
            shutil.move(glob.glob(work + "/x/boot/vmlinuz-*")[0], self.kernel)

    def _in_order(self, names, done):
        """Files of the modules, each after what it needs. One that is no file is built in."""
        for name in names:
            path = self.modules.get(name)
            if path is None or path in done:
                continue
            with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
                needs = re.search(rb"\0depends=([^\0]*)\0", file.read())
            self._in_order(needs.group(1).decode().replace("-", "_").split(",") if needs else [], done)
            done.append(path)
        return done

    def initramfs(self, program, modules):
        """A gzipped one with init, `program` as /bin/run, and those modules; its path."""
        files = [(d, 0o040755, b"") for d in ("bin", "dev", "mnt", "mod", "proc", "sys")]
        for name, path in (("init", "init"), ("bin/run", program)):
            with open(os.path.join(self.guest, path), "rb") as file:
                files.append((name, 0o100755, file.read()))
        listed = []
        for path in self._in_order(modules, []):
            with open(path, "rb") as file:
                files.append(("mod/" + os.path.basename(path), 0o100644, file.read()))
            listed.append("/mod/" + os.path.basename(path) + "\n")
        files.append(("modules", 0o100644, "".join(listed).encode()))
        target = os.path.join(self.folder, os.path.basename(program) + ".cpio.gz")
        with open(target, "wb") as file:
            file.write(gzip.compress(cpio(files), 9, mtime=0))
        return target

    def arguments(self, program, modules, *rest):
        """For QEMU, behind -kernel."""
        return ["-initrd", self.initramfs(program, modules), "-append",
                " ".join(("console=ttyS0 quiet panic=-1 -- /bin/run",) + rest)]


def cpio(files):
    """The `newc` format: initramfs buffer format, in the kernel's documentation."""
    archive = bytearray()
    for number, (name, mode, content) in enumerate(files + [("dev/console", 0o020600, b""), ("TRAILER!!!", 0, b"")]):
        device = (5, 1) if name == "dev/console" else (0, 0)
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += b"\0" * (-len(archive) % 4) + content
        archive += b"\0" * (-len(archive) % 4)
    return bytes(archive)
