"""Nodes that are virtual machines: which they are, how QEMU is called, and what their disks and files hold."""

from __future__ import annotations

import io
import itertools
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.embedded import fitness, plan, roots
from lab.embedded.fitness import require_userlands
from lab.embedded.plan import PATIENCE, LabSpec
from lab.embedded.preflight import TABLE
from lab.embedded.vm import clock, files, image, initrd, kvm, qemu
from lab.errors import LabError, UsageError
from lab.inventory import Commands
from lab.overlays import OVERLAYS, adapter
from lab.overlays.vxlan import Vxlan
from lab.overlays.weave import WeaveProxy

CABLES = [{"bridge": "lan", "interface": "eth0", "mac": "02:f1:c0:a8:38:05", "address": "192.168.56.5/24"}]
FACTS = {
    "kernel": "6.1.0-56-cloud-amd64",
    "versions": {"systemd": "252.39-1", "docker.io": "20.10.24+dfsg1-1"},
    "packages": 197,
    "mib": 706,
    "made": "2026-11-27T12:00:00Z",
    "seconds": 60.0,
}


def entry(accelerator: str = qemu.EMULATED) -> dict[str, object]:
    return {"name": "u3", "cables": CABLES, "root": None, "vm": qemu.plan_vm(Path("/cache/vm/x"), accelerator)}


# -- which nodes ------------------------------------------------------------


@pytest.mark.parametrize(
    ("machines", "root", "chosen"),
    [
        ("", "trixie", {}),
        ("vm", "", {"u1": "bookworm", "u2": "bookworm", "u3": "bookworm"}),
        ("u3=vm", "", {"u3": "bookworm"}),
        ("u1=vm, u3=vm", "u3=sid,u2=trixie", {"u1": "bookworm", "u3": "sid"}),
        ("u1=namespaces,u2=vm", "trixie", {"u2": "trixie"}),
        ("vm", "machine", {"u1": "bookworm", "u2": "bookworm", "u3": "bookworm"}),
    ],
)
def test_machines_are_chosen_for_all_nodes_or_by_node(machines: str, root: str, chosen: dict[str, str]) -> None:
    assert LabSpec(machines=machines, root=root).vms() == chosen


def test_the_other_nodes_have_their_roots() -> None:
    assert LabSpec(machines="u3=vm", root="trixie").roots() == {"u1": "trixie", "u2": "trixie"}


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ("u4=vm", "no node 'u4'; there are: u1, u2, u3"),
        ("u1=vm,u1=vm", "node 'u1' is named twice"),
        ("u1=vm,u2", "'u2' is not NODE=vm; write one such as u3=vm"),
        ("kvm", "'kvm' is not a kind of node; there are: vm, namespaces"),
        ("u1=qemu", "'qemu' is not a kind of node"),
    ],
)
def test_a_wrong_choice_is_one_line(machines: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^--machines {machines}: ") as caught:
        LabSpec(machines=machines)
    assert said in str(caught.value)


def test_a_foreign_lab_has_no_machines() -> None:
    with pytest.raises(UsageError, match="--foreign and --machines exclude each other"):
        LabSpec(machines="vm", foreign=True)


def test_an_emulated_machine_is_given_more_time_and_has_the_usual_units() -> None:
    spec = LabSpec(machines="u3=vm", nomad=False)
    planned = {node.name: node for node in plan.inventory(spec).nodes}
    assert (planned["u1"].patience, planned["u3"].patience) == (1.0, PATIENCE)
    assert planned["u3"].commands == Commands() and planned["u1"].commands.stop_docker.startswith("sv ")
    assert plan.inventory(spec).patience == PATIENCE
    by_kvm = plan.inventory(spec, emulated=[])
    assert by_kvm.node("u3").patience == 1.0 and by_kvm.node("u3").commands == Commands()


# -- QEMU -------------------------------------------------------------------


def test_a_machine_has_its_port_its_mac_and_its_disks() -> None:
    words = qemu.qemu_words(entry(), Path("/run/flatnet/lab/nodes/u3"))
    pairs = list(itertools.pairwise(words))
    assert words[0] == "qemu-system-x86_64" and ("-m", "1024") in pairs and ("-smp", "1") in pairs
    assert ("-netdev", "tap,id=net0,ifname=port-u3,script=no,downscript=no") in pairs
    assert ("-device", "virtio-net-pci,netdev=net0,mac=02:f1:c0:a8:38:05,romfile=") in pairs
    assert ("-device", "virtio-rng-pci") in pairs and ("-kernel", "/cache/vm/x/vmlinuz") in pairs
    assert ("-nic", "user") not in pairs and "-nodefaults" in words, "QEMU gives it no network of its own"
    drives = [after for word, after in pairs if word == "-drive"]
    assert drives[0].startswith("file=/run/flatnet/lab/nodes/u3/disk/disk.qcow2,format=qcow2,")
    assert drives[1].startswith("file=/run/flatnet/lab/nodes/u3/seed.tar,format=raw,")
    assert drives[1].endswith("readonly=on")


@pytest.mark.parametrize(
    ("accelerator", "words"),
    [(qemu.EMULATED, {"tcg,thread=multi,tb-size=256", "max,la57=off"}), (qemu.BY_KVM, {"kvm", "host"})],
)
def test_a_processor_is_emulated_or_this_machines(accelerator: str, words: set[str]) -> None:
    assert words <= set(qemu.qemu_words(entry(accelerator), Path("/x")))


def test_a_disk_is_a_copy_on_write_of_the_image() -> None:
    words = qemu.disk_words(Path("/cache/vm/x"), Path("/n/disk/disk.qcow2"))
    assert words[-4:] == ["raw", "-b", "/cache/vm/x/disk.img", "/n/disk/disk.qcow2"]


def test_the_switch_has_a_tap_by_the_ports_name() -> None:
    assert qemu.tap_commands("u3", "lan") == [
        "tuntap add dev port-u3 mode tap",
        "link set port-u3 master lan up",
    ]


def test_kvm_that_cannot_be_opened_is_not_tried(tmp_path: Path) -> None:
    assert kvm.accelerator(tmp_path, device=str(tmp_path / "none")) == qemu.EMULATED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("works", "accelerator"), [(True, qemu.BY_KVM), (False, qemu.EMULATED)])
def test_kvm_is_tried_once_in_each_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: bool, accelerator: str
) -> None:
    tried = []

    def trial(folder: Path) -> bool:
        tried.append(folder)
        return works

    monkeypatch.setattr(kvm, "works", trial)
    (tmp_path / "kvm-an-earlier-boot").write_text("kvm", encoding="utf-8")
    assert [kvm.accelerator(tmp_path, device=os.devnull) for _ in range(2)] == [accelerator] * 2
    assert tried == [tmp_path] and len(list(tmp_path.glob("kvm-*"))) == 1


def test_kvm_that_hangs_is_killed_and_one_that_speaks_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "trial_words", lambda folder: ["sleep", "60"])
    assert not kvm.works(tmp_path, bound_s=0.2)
    monkeypatch.setattr(kvm, "trial_words", lambda folder: ["echo", f"[    0.5] {initrd.TRIAL}"])
    assert kvm.works(tmp_path)
    monkeypatch.setattr(kvm, "trial_words", lambda folder: [str(tmp_path / "no-qemu")])
    assert not kvm.works(tmp_path)


# -- the first file system --------------------------------------------------

MODULES_DEP = """\
kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
"""


def test_modules_are_loaded_behind_what_they_need() -> None:
    order = initrd.load_order(MODULES_DEP, "kernel/fs/ext4/ext4.ko\n", ["virtio_pci", "virtio_blk", "ext4"])
    assert [path.rpartition("/")[2] for path in order] == [
        "virtio_ring.ko", "virtio.ko", "virtio_pci.ko.xz", "virtio_blk.ko",
    ]  # fmt: skip


def test_a_kernel_without_a_module_is_refused() -> None:
    with pytest.raises(LabError, match="no module virtio_net, which a machine needs"):
        initrd.load_order(MODULES_DEP, "", ["virtio_net"])


def read_archive(data: bytes) -> dict[str, tuple[int, bytes]]:
    """What a cpio archive holds, read as the kernel does (buffer-format.rst)."""
    found: dict[str, tuple[int, bytes]] = {}
    place = 0
    while True:
        assert data[place : place + 6] == b"070701"
        fields = [int(data[place + 6 + 8 * at : place + 14 + 8 * at], 16) for at in range(13)]
        name = data[place + 110 : place + 110 + fields[11] - 1].decode()
        start = (place + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], data[start : start + fields[6]])
        place = (start + fields[6] + 3) & ~3


def test_an_archive_has_folders_first_and_files_with_their_modes() -> None:
    made = read_archive(initrd.archive({"init": (0o755, b"#!"), "modules/a/x.ko": (0o644, b"12345")}))
    assert list(made) == ["modules", "modules/a", "init", "modules/a/x.ko"]
    assert made["init"] == (0o100755, b"#!") and made["modules/a/x.ko"] == (0o100644, b"12345")
    assert made["modules"][0] == 0o40755


def test_the_first_script_says_that_a_kernel_runs_before_it_looks_for_disks() -> None:
    assert initrd.INIT.index(initrd.TRIAL) < initrd.INIT.index("/dev/vda ")
    assert initrd.TRIAL_WORD in kvm.trial_words(Path("/x"))[-3]


# -- the files of a machine -------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> tarfile.TarFile:
    """What the second disk of u3 holds."""
    spec = LabSpec(machines="u3=vm", nomad=False, overlay="vxlan")
    inventory = plan.inventory(spec)
    line = files.write_vm(tmp_path, inventory, inventory.node("u3"), "ssh-ed25519 AAAA runner", CABLES)
    assert line.startswith("ssh-ed25519 ")
    content = (tmp_path / "nodes" / "u3" / qemu.SEED).read_bytes()
    assert len(content) % 512 == 0, "the kernel shows a disk in sectors"
    return tarfile.open(fileobj=io.BytesIO(content))


def text(packed: tarfile.TarFile, path: str) -> str:
    stream = packed.extractfile(path)
    assert stream is not None
    return stream.read().decode()


def test_a_machine_has_its_names_its_address_and_its_keys(packed: tarfile.TarFile) -> None:
    assert text(packed, "etc/hostname") == "u3\n" and len(text(packed, "etc/machine-id").strip()) == 32
    assert "192.168.56.3 u1" in text(packed, "etc/hosts")
    assert text(packed, "etc/resolv.conf").startswith("nameserver 192.168.56.5\nnameserver 192.168.56.3\n")
    network = text(packed, "etc/systemd/network/10-eth0.network")
    assert "MACAddress=02:f1:c0:a8:38:05" in network and "Address=192.168.56.5/24" in network
    assert "Gateway" not in network, "a node has no way out of the lab"
    assert text(packed, "root/.ssh/authorized_keys") == "ssh-ed25519 AAAA runner\n"
    private = packed.getmember("etc/ssh/ssh_host_ed25519_key")
    assert private.mode == 0o600 and "PRIVATE KEY" in text(packed, private.name)


def test_a_machine_has_the_connection_table_of_a_larger_one(packed: tarfile.TarFile) -> None:
    assert "net.netfilter.nf_conntrack_max = 65536" in text(packed, "etc/sysctl.d/90-flatnet.conf")
    loaded = text(packed, "etc/modules-load.d/flatnet.conf").splitlines()
    assert "nf_conntrack" in loaded, "loaded before its settings are set"
    assert "openvswitch" in loaded, "a router in a container loads none"


def test_consul_is_a_unit_that_starts_at_boot(packed: tarfile.TarFile) -> None:
    assert json.loads(text(packed, "etc/consul.d/consul.json"))["node_name"] == "u3"
    unit = text(packed, "etc/systemd/system/consul.service")
    assert "ExecStart=/usr/local/bin/consul agent -config-file /etc/consul.d/consul.json" in unit
    wanted = packed.getmember("etc/systemd/system/multi-user.target.wants/consul.service")
    assert wanted.issym() and wanted.linkname == "/etc/systemd/system/consul.service"
    assert not [name for name in packed.getnames() if "nomad" in name]


def test_the_packet_filter_is_the_one_that_the_overlay_writes_to() -> None:
    assert files.packet_filter("") == {}
    links = files.packet_filter("legacy")
    assert links["etc/alternatives/iptables-save"] == (files.LINK, b"/usr/sbin/iptables-legacy-save")


# -- images -----------------------------------------------------------------

Make = Callable[..., Path]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Puts an image into an empty cache: `cached("trixie")`, or one with another key."""
    monkeypatch.setenv("FLATNET_CACHE", str(tmp_path))
    monkeypatch.setattr(image, "borrowed", list)

    def make(release: str, key: str | None = None) -> Path:
        folder = image.place() / (image._name(release) if key is None else f"{release}-{key}")
        folder.mkdir(parents=True)
        (folder / image.FACTS).write_text(json.dumps({"release": release, **FACTS}), encoding="utf-8")
        return folder

    return make


def test_the_current_image_is_used(cached: Make) -> None:
    cached("trixie", "00000000")
    assert image.find("trixie") is None
    folder = cached("trixie")
    found = image.need("trixie")
    assert found.folder == folder and found.docker == (20, 10, 24) and found.current
    assert str(found).startswith(
        "trixie, for machines: kernel 6.1.0-56-cloud-amd64, systemd 252.39, docker.io 20.10.24"
    )


def test_what_is_not_made_is_one_line(cached: Make) -> None:
    with pytest.raises(LabError, match=r"^image of machines sid: is not made; run `python -m lab root make --vm sid`$"):
        image.need("sid")


def test_an_image_that_is_there_is_not_made_again(cached: Make) -> None:
    folder = cached("trixie")
    assert image.make("trixie", print).folder == folder


def test_an_image_is_removed_by_its_release(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    folder = cached("trixie")
    with pytest.raises(LabError, match=r"is not made \(made: trixie\)"):
        image.remove("sid")
    assert image.remove("trixie") == [folder] and not folder.exists()


def test_another_program_that_is_lent_makes_another_image(
    cached: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "consul"
    program.parent.mkdir()
    program.write_text("1.8.7", encoding="utf-8")
    monkeypatch.setattr(image, "borrowed", lambda: [str(program.parent)])
    before = image._name("trixie")
    assert image._name("trixie") == before
    program.write_text("1.9.10", encoding="utf-8")
    assert image._name("trixie") != before


def test_programs_are_lent_to_a_place_that_a_machine_keeps(tmp_path: Path) -> None:
    lent, tree = tmp_path / "cache" / "bin", tmp_path / "tree"
    lent.mkdir(parents=True)
    (lent / "consul").touch(0o755)
    (lent / "notes.txt").touch(0o644)
    (tmp_path / "nomad").touch(0o755)
    image.lend(tree, [str(lent), str(tmp_path / "nomad")])
    assert sorted(path.name for path in (tree / "usr/local/bin").iterdir()) == ["consul", "nomad"]


def test_a_machine_starts_the_engine_and_not_what_it_has_no_use_for(tmp_path: Path) -> None:
    (tmp_path / "getty.target").touch()
    image.set_units(tmp_path)
    assert os.readlink(tmp_path / "apt-daily.timer") == "/dev/null" == os.readlink(tmp_path / "getty.target")
    wants = tmp_path / "multi-user.target.wants"
    assert os.readlink(wants / "docker.service") == "/lib/systemd/system/docker.service"
    assert not set(image.MASKED) & set(image.ENABLED)


def test_an_image_has_the_programs_of_a_node_and_a_kernel() -> None:
    wanted = roots.wanted_packages(TABLE.read_text(encoding="utf-8"))
    assert {"docker.io", "openssh-server", "python3"} <= set(wanted)
    assert {"linux-image-cloud-amd64", "systemd-sysv", "udev"} <= set(image.PACKAGES)


def test_an_overlay_that_an_image_cannot_carry_is_refused(cached: Make) -> None:
    folder = cached("trixie")
    facts = json.loads((folder / image.FACTS).read_text(encoding="utf-8"))
    facts["versions"]["docker.io"] = "26.1.5+dfsg1-9"
    (folder / image.FACTS).write_text(json.dumps(facts), encoding="utf-8")
    spec = LabSpec(machines="u3=vm", root="u3=trixie")
    require_userlands(spec, Vxlan)
    with pytest.raises(LabError, match=r"^--machines u3=vm, of the release trixie: .*Docker 26\.1\.5 refuses"):
        require_userlands(spec, WeaveProxy)
    with pytest.raises(LabError, match=r"^--machines u3=vm: overlay evpn needs vtysh, which images "):
        require_userlands(spec, OVERLAYS["evpn"])
    require_userlands(spec, OVERLAYS["wireguard"])


def test_encrypted_networks_need_a_kernel_that_has_esp(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cached("bookworm")
    monkeypatch.setattr(fitness, "has_esp", lambda: False)
    require_userlands(LabSpec(overlay="swarm", encrypted=True, machines="vm"), OVERLAYS["swarm"])
    with pytest.raises(LabError, match=r"^--encrypted: u1 has this machine's kernel, which has no ESP .*; make every"):
        require_userlands(LabSpec(overlay="swarm", encrypted=True, machines="u3=vm"), OVERLAYS["swarm"])
    monkeypatch.setattr(fitness, "has_esp", lambda: True)
    require_userlands(LabSpec(overlay="swarm", encrypted=True), OVERLAYS["swarm"])


def test_a_lab_is_encrypted_on_request_where_its_overlay_can_be() -> None:
    made = plan.inventory(LabSpec(overlay="swarm", encrypted=True))
    assert made.overlay.options == {"encrypted": True}
    assert adapter(made).capabilities.encrypted and adapter(made).mtu("a") == 1424
    assert adapter(plan.inventory(LabSpec(overlay="swarm"))).mtu("a") == 1450
    with pytest.raises(UsageError, match=r"^--encrypted: a lab with overlay vxlan .*; leave it out, or choose swarm$"):
        LabSpec(encrypted=True)


def test_an_emulated_kernel_is_told_the_rate_of_its_clock() -> None:
    """It measures it otherwise, and on a busy machine it was sixteen times wrong."""
    for accelerator, told in ((qemu.EMULATED, True), (qemu.BY_KVM, False)):
        made = {**entry(), "vm": qemu.plan_vm(Path("/cache/vm/x"), accelerator, 2_100_000)}
        words = qemu.qemu_words(made, Path("/x"))
        assert ("tsc_early_khz=2100000" in words[words.index("-append") + 1].split()) is told
    assert "tsc_early_khz" not in " ".join(qemu.qemu_words(entry(), Path("/x")))


def test_the_rate_of_the_clock_is_measured() -> None:
    rates = [clock.tsc_khz() for _ in range(3)]
    if None in rates:
        pytest.skip("this processor's time stamp counter cannot be read")
    least, most = min(map(int, filter(None, rates))), max(map(int, filter(None, rates)))
    assert 100_000 < least <= most < least * 1.02
