#!/bin/bash
# tests/lab/image.sh: makes the lab VM's kernel, initrd and disk, or finds them, and prints their
# folder: build/lab/KEY with vmlinuz, initrd, rootfs.img. KEY is a hash of what they are made from.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/lab
suite=bookworm
image_mib=1400
key=$(cat "$here/image.sh" "$here/packages.txt" "$here/lab-init" "$here/initrd-init" | sha256sum | cut -c1-16)
out=build/lab/$key
if [ -e "$out/done" ]; then
  echo "$out"
  exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "lab: making the VM's disk needs root" >&2; exit 1; }
say() { echo "lab: $*" >&2; }

mkdir -p build/lab
work=$(mktemp -d build/lab/work.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT

say "fetching Debian's cloud kernel"
kernel=$(tests/guests/cloud-kernel.sh)
release=$(basename "$kernel")

say "installing the root file system ($suite, a minute)"
mapfile -t packages < <(grep -v '^#' "$here/packages.txt")
include=$(IFS=,; echo "${packages[*]}")
mmdebstrap --quiet --mode=root --variant=minbase --include="$include" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$work/rootfs" >&2
rm -rf "$work"/rootfs/var/lib/apt/lists/* "$work"/rootfs/var/cache/apt/*
cp -a "$kernel/lib/modules" "$work/rootfs/lib/"
chroot "$work/rootfs" depmod "$release"
install -m 0755 "$here/lab-init" "$work/rootfs/lab-init"

say "making disk and initrd"
mkdir "$work/out"
truncate -s "${image_mib}M" "$work/out/rootfs.img"
mke2fs -q -t ext4 -O ^has_journal -d "$work/rootfs" "$work/out/rootfs.img"
cp "$kernel/boot/vmlinuz-$release" "$work/out/vmlinuz"

mkdir -p "$work"/initrd/{bin,dev,proc,sys,newroot,modules}
cp /bin/busybox "$work/initrd/bin/"
for applet in sh mount insmod switch_root sleep; do ln -s busybox "$work/initrd/bin/$applet"; done
install -m 0755 "$here/initrd-init" "$work/initrd/init"
number=10
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
  file=$(find "$kernel/lib/modules" -name "$module.ko" | head -n 1)
  [ -n "$file" ] || continue  # built in
  cp "$file" "$work/initrd/modules/$number-$module.ko"
  number=$((number + 1))
done
(cd "$work/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/out/initrd"

rm -rf "$out"
touch "$work/out/done"
mv "$work/out" "$out"
# Older images of ours are of no more use.
find build/lab -mindepth 1 -maxdepth 1 -type d -name '[0-9a-f]*' ! -name "$key" -exec rm -rf {} +
echo "$out"
