#!/usr/bin/env bash
# Runs a command in a small virtual machine whose kernel has SocketCAN, on this machine's own files (read only; what
# the command writes is lost). Interfaces inside: vcan0 and vcan1 (virtual, up), can0 and can1 (two emulated Kvaser
# cards on one bus, down).
#
#   tests/vm/socketcan_vm.sh COMMAND [ARGUMENT...]
#
# The command runs as root, in the present folder; its exit status is returned. 69: the machine cannot be made here,
# and why. 70: it did not start. 124: it took longer than VM_TIMEOUT_S.
#
#   VM_TIMEOUT_S=170     longest time that it may run
#   VM_ACCEL=tcg         or kvm, where /dev/kvm works: faster
#   VM_OPTIONAL=         if set, 69, 70 and 124 become 0: what is said is why the command did not run
#   VM_FOLDER=build/socketcan-vm    where kernel and start-up files are kept
set -euo pipefail

timeout_s=${VM_TIMEOUT_S:-170}
folder=${VM_FOLDER:-build/socketcan-vm}
# Files over virtio, a writable layer, CAN, the emulated cards, and queueing disciplines that can be full.
modules="virtio_pci 9pnet_virtio 9p overlay can can-raw vcan kvaser_pci sch_netem sch_tbf"

end() {
  local status=$1
  shift
  echo "socketcan_vm: $*" >&2
  [ -n "${VM_OPTIONAL:-}" ] || exit "$status"
  exit 0
}

refuse() {
  end 69 "not run: $*"
}

check_tools() {
  local missing=() pair
  for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio modprobe:kmod ip:iproute2 \
    tc:iproute2 dpkg-deb:dpkg apt-get:apt; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ ${#missing[@]} -eq 0 ] || refuse "missing: ${missing[*]}. Debian: apt-get install --no-install-recommends ${missing[*]}"
  # A busybox that needs libraries would not start alone.
  ! ldd "$(command -v busybox)" >/dev/null 2>&1 || refuse "busybox needs libraries here; install busybox-static"
  [ "$(uname -m)" = x86_64 ] || refuse "it is made for x86_64, this is $(uname -m)"
}

fetch_kernel() {
  local package
  package=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends:/ {print $2; exit}')
  [ -n "$package" ] || refuse "apt knows no linux-image-amd64; run apt-get update, on Debian"
  (cd "$folder" && timeout 30 apt-get download -qq -o APT::Sandbox::User=root "$package") || refuse "apt-get cannot download $package"
  dpkg-deb -x "$folder/$package"_*.deb "$folder/kernel"
  rm -f "$folder/$package"_*.deb
}

copy_modules() {
  local version=$1 root=$2 tree=$folder/kernel name file
  # Newer packages keep everything below usr.
  [ -d "$tree/lib/modules" ] || { mkdir -p "$tree/lib" && ln -s ../usr/lib/modules "$tree/lib/modules"; }
  depmod -b "$tree" "$version"
  for name in $modules; do
    modprobe -d "$(realpath "$tree")" -S "$version" --show-depends "$name" | awk '$1 == "insmod" {print $2}'
  done | awk '!seen[$0]++' | while read -r file; do
    name=$(basename "$file")
    case $name in
      *.ko.xz) xz -dc "$file" >"$root/modules/${name%.xz}" ;;
      *.ko.zst) zstd -qdc "$file" >"$root/modules/${name%.zst}" ;;
      *) cp "$file" "$root/modules/$name" ;;
    esac
    echo "${name%%.ko*}.ko" >>"$root/modules/order"
  done
}

build() {
  local root=$folder/root version
  rm -rf "$folder"
  mkdir -p "$folder" "$root"/{bin,dev,proc,sys,host,layer,top,modules}
  fetch_kernel
  version=$(basename "$(find "$folder/kernel" -path '*lib/modules/*' -maxdepth 5 -type d -name '[0-9]*' | head -n 1)")
  copy_modules "$version" "$root"
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp "$(dirname "${BASH_SOURCE[0]}")/init" "$root/init"
  mv "$folder/kernel/boot/vmlinuz-$version" "$folder/vmlinuz"
  # Last, and at once: only a complete machine has it.
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$folder/unfinished.gz"
  mv "$folder/unfinished.gz" "$folder/start.gz"
  rm -rf "$root" "$folder/kernel"
}

boot() {
  local exchange status=0
  exchange=$(mktemp -d)
  trap 'rm -rf "$exchange"' EXIT
  {
    printf 'export PATH=%q HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=%q\n' "$PATH:/usr/sbin:/sbin" \
      "${PYTEST_DISABLE_PLUGIN_AUTOLOAD:-}"
    printf 'cd %q\n' "$PWD"
    printf '%q ' "$@"
  } >"$exchange/command"
  timeout "$timeout_s" qemu-system-x86_64 -machine "q35,accel=${VM_ACCEL:-tcg}" -cpu max -smp 2 -m 1024 -nodefaults \
    -no-user-config -display none -no-reboot -serial stdio -kernel "$folder/vmlinuz" -initrd "$folder/start.gz" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1" \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -fsdev local,id=exchange,path="$exchange",security_model=none \
    -device virtio-9p-pci,fsdev=exchange,mount_tag=exchange \
    -object can-bus,id=bus -device kvaser_pci,canbus=bus -device kvaser_pci,canbus=bus </dev/null || status=$?
  [ $status -ne 124 ] || end 124 "stopped after $timeout_s s"
  [ -s "$exchange/status" ] || end 70 "the machine did not get to the end of the command"
  exit "$(cat "$exchange/status")"
}

[ $# -gt 0 ] || { sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2; }
check_tools
here=$(dirname "${BASH_SOURCE[0]}")
if [ ! "$folder/start.gz" -nt "$here/init" ] || [ ! "$folder/start.gz" -nt "$here/socketcan_vm.sh" ]; then build; fi
boot "$@"
