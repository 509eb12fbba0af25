# SPDX-License-Identifier: MIT
"""Makes what QEMU boots: Debian's kernel, fetched once and never installed; an initramfs of this machine's programs."""
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile


class Missing(Exception):
    """Something of the machine is not there; says what."""


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"{program} is not installed")


def kernel_package():
    """Name of the package that linux-image-amd64 stands for today."""
    found = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64"))
    if not found:
        raise Missing("apt knows no linux-image-amd64")
    return found[1]


def fetch_kernel(cache):
    """Folder with vmlinux and lib/modules of Debian's current kernel; downloads it if it is not in the cache."""
    package = kernel_package()
    folder = pathlib.Path(cache) / package
    if (folder / "vmlinux").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)  # apt downloads as a user of its own
        done = subprocess.run(["apt-get", "download", package], cwd=work, capture_output=True, text=True, check=False)
        archives = list(pathlib.Path(work).glob("*.deb"))
        if done.returncode != 0 or not archives:
            raise Missing(f"apt-get download {package} failed: {done.stderr.strip()[-200:]}")
        run("dpkg-deb", "-x", str(archives[0]), work + "/x")
        release = package.removeprefix("linux-image-")
        new = pathlib.Path(work) / "new"
        modules = pathlib.Path("lib/modules") / release
        (new / modules / "kernel/drivers").mkdir(parents=True)
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo", "kernel/drivers/usb"):
            shutil.move(pathlib.Path(work) / "x" / modules / name, new / modules / name)
        run("depmod", "-b", str(new), release)
        # The boot code of vmlinuz only unpacks the kernel, slowly; QEMU starts the unpacked one (PVH).
        packed = (pathlib.Path(work) / "x/boot" / f"vmlinuz-{release}").read_bytes()
        unpacked = lzma.LZMADecompressor().decompress(packed[packed.index(b"\xfd7zXZ\0"):])
        (new / "vmlinux").write_bytes(unpacked)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(new, folder)
    return folder


def libraries(program):
    """Shared libraries a program loads, and its loader."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return [path for path in re.findall(r"(/\S+)", done.stdout) if os.path.isfile(path)]


class Root:
    """The tree of an initramfs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ("bin", "dev", "proc", "sys", "tmp", "run", "etc/udev/rules.d", "lib/udev/rules.d", "modules"):
            (self.folder / name).mkdir(parents=True)

    def add(self, source, target):
        place = self.folder / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)

    def write(self, target, text):
        (self.folder / target).write_text(text, encoding="ascii")

    def program(self, source, name=None):
        source = shutil.which(str(source))
        if not source:
            raise Missing(f"{source} is not installed")
        self.add(source, "bin/" + (name or os.path.basename(source)))
        for library in libraries(source):
            loader = os.path.basename(library).startswith("ld-")
            self.add(library, library if loader else "libs/" + os.path.basename(library))

    def modules(self, kernel, names):
        """Kernel modules with all they need, in the order to load them; the list is /modules/list."""
        folder = next((kernel / "lib/modules").iterdir())
        depends = dict(line.split(":") for line in (folder / "modules.dep").read_text(encoding="ascii").splitlines())
        order = []
        for name in names:
            path = next((path for path in depends if path.endswith(f"/{name}.ko")), None)
            if not path:
                raise Missing(f"the kernel has no module {name}")
            for one in depends[path].split()[::-1] + [path]:
                if one not in order:
                    order.append(one)
                    self.add(folder / one, "modules/" + os.path.basename(one))
        self.write("modules/list", "".join(os.path.basename(path) + "\n" for path in order))

    def pack(self, target):
        listing = subprocess.run(["find", "."], cwd=self.folder, check=True, capture_output=True).stdout
        with open(target, "wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "--owner", "0:0"], cwd=self.folder, input=listing,
                           stdout=out, check=True)


def boot(kernel, initramfs, sockets, seconds):
    """What the guest prints until it powers off, or until its time is up; each socket is a USB device."""
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "qemu64", "-m", "384",
               "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
               "-kernel", str(kernel / "vmlinux"), "-initrd", str(initramfs), "-append", "console=ttyS0 panic=-1 quiet",
               "-device", "qemu-xhci"]
    for number, socket in enumerate(sockets):
        command += ["-chardev", f"socket,id=board{number},path={socket}", "-device", f"usb-redir,chardev=board{number}"]
    try:
        return run(*command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + f"\nended after {seconds} s\n"
