#!/bin/bash
# tests/guests/linux.sh: makes a small Linux guest, or finds it, and prints its folder: build/guests/KEY
# with vmlinuz (Debian's cloud kernel) and initrd (busybox, dhclient, virtio's modules, linux-init).
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/guests
kernel=$("$here/cloud-kernel.sh")
modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover
  net_failover virtio_net button evdev qemu_fw_cfg"
applets="sh mount insmod ls cat echo poweroff reboot sleep ip udhcpc wget ping acpid mkdir hostname dd seq
  uname setsid ln rm grep head nslookup sync"
key=$(cat "$here/linux.sh" "$here/linux-init" <(echo "$kernel") | sha256sum | cut -c1-16)
out=build/guests/$key
if ! [ -e "$out" ]; then
  work=$(mktemp -d build/guests/.work.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/out" "$work"/tree/{bin,dev,proc,sys,etc/acpi/PWRF,tmp,modules,var/{log,run}}
  cp /bin/busybox "$work/tree/bin/"
  for applet in $applets; do ln -s busybox "$work/tree/bin/$applet"; done
  install -m 0755 "$here/linux-init" "$work/tree/init"
  for file in /sbin/dhclient $(ldd /sbin/dhclient | grep -o '/lib[^ ]*'); do
    install -D "$file" "$work/tree$file"
  done
  number=10
  for module in $modules; do
    file=$(find "$kernel/lib/modules" -name "$module.ko" | head -n 1)
    [ -n "$file" ] || continue  # built in
    cp "$file" "$work/tree/modules/$number-$module.ko"
    number=$((number + 1))
  done
  (cd "$work/tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/out/initrd"
  cp "$kernel"/boot/vmlinuz-* "$work/out/vmlinuz"
  mv -T "$work/out" "$out" 2>/dev/null || [ -e "$out" ]
fi
echo "$out"
