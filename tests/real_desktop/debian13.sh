#!/usr/bin/env bash
# Debian 13 (trixie) in a folder, with the file managers and desktops of today, to run tests/real_desktop in. By hand and
# as root; not in CI.
#
#   bash tests/real_desktop/debian13.sh DIR                 make DIR (4 GB), or bring it up to date
#   bash tests/real_desktop/debian13.sh DIR COMMAND…        the same, then run the command in it, in the repository
#
# In DIR, the repository is /nobg, and `python` is Python 3.13 with nobg installed from it. For instance:
#
#   bash tests/real_desktop/debian13.sh DIR python -m pytest tests/real_desktop/other_file_managers.py
#   bash tests/real_desktop/debian13.sh DIR python -m tests.real_desktop.tray_hosts
#   bash tests/real_desktop/debian13.sh DIR runuser -u person -- python -m pytest tests/real_desktop/test_nautilus.py
#   bash tests/real_desktop/debian13.sh DIR python -m pytest -m "not slow"
#
# It needs debootstrap. The user `person` is for what root must not be asked.
# NOBG_SUITE=forky in the environment makes another Debian, with less in it: its Python, to run the quick tests.
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
root=$(realpath -m "${1:?usage: debian13.sh DIR [COMMAND…]}")
shift
suite=${NOBG_SUITE:-trixie}
mirror=${NOBG_MIRROR:-}

# All mounts are in a namespace of their own: they end with this script.
if [ -z "${NOBG_IN_NAMESPACE:-}" ]; then
  NOBG_IN_NAMESPACE=yes exec unshare --mount --propagation private bash "$0" "$root" "$@"
fi

common=(
  python3-venv python3-dev gcc libc6-dev ca-certificates locales procps
  dbus dbus-bin xvfb openbox xdotool scrot at-spi2-core gir1.2-atspi-2.0 python3-gi libglib2.0-bin
  fonts-dejavu-core adwaita-icon-theme xdg-utils
  libegl1 libgl1 libgl1-mesa-dri libfontconfig1 libdbus-1-3 libxkbcommon0 libxkbcommon-x11-0 libxcb-cursor0
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0
)
file_managers=(
  nautilus python3-nautilus nemo caja thunar thunar-data dolphin pcmanfm libfm-modules libgail-common
  pcmanfm-qt breeze-icon-theme
)
desktops=(
  gnome-shell gnome-shell-extension-appindicator gnome-session-bin gjs
  plasma-workspace plasma-desktop kwin-x11 kwin-wayland kde-cli-tools
  xfce4-panel xfce4-notifyd xfconf cinnamon xapp-sn-watcher mate-panel mate-notification-daemon mate-indicator-applet
  dunst suckless-tools zenity kdialog
  weston sway waybar grim wtype xdg-desktop-portal xdg-desktop-portal-gtk xdg-desktop-portal-gnome
)

if [ ! -e "$root/etc/nobg-debootstrapped" ]; then
  script=/usr/share/debootstrap/scripts/$suite # older debootstraps do not know newer suites
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
  debootstrap --variant=minbase "$suite" "$root" "$mirror" "$script"
  touch "$root/etc/nobg-debootstrapped"
fi
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service starts
chmod 755 "$root/usr/sbin/policy-rc.d"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/nobg"
mount --bind "$repository" "$root/nobg"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

inside() {
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" chroot "$root" "$@"
}

packages=("${common[@]}")
[ "$suite" = trixie ] && packages+=("${file_managers[@]}" "${desktops[@]}")
if [ "$(cat "$root/etc/nobg-packages" 2>/dev/null)" != "${packages[*]}" ]; then
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/nobg"
  inside apt-get update -qq
  inside apt-get install -y -qq --no-install-recommends "${packages[@]}"
  inside apt-get clean
  echo "${packages[*]}" >"$root/etc/nobg-packages"
fi

mkdir -p "$root/etc/ssl/certs"
[ ! -d /etc/ssl/certs ] || mount --bind -o ro /etc/ssl/certs "$root/etc/ssl/certs" # pip trusts whom it trusts here
inside id person >/dev/null 2>&1 || inside useradd --create-home --shell /bin/bash person
stamp=/opt/nobg/installed-$(sha256sum "$repository/pyproject.toml" | cut -c1-16)
if [ ! -e "$root$stamp" ]; then
  [ -x "$root/opt/nobg/bin/python" ] || inside python3 -m venv /opt/nobg
  inside /opt/nobg/bin/python -m pip install --quiet --disable-pip-version-check --editable '/nobg[dev]'
  # Not on PATH: Nautilus's own Python would take the environment for its own.
  printf '#!/bin/sh\nexec /opt/nobg/bin/python "$@"\n' >"$root/usr/local/bin/python"
  chmod 755 "$root/usr/local/bin/python"
  rm -f "$root"/opt/nobg/installed-*
  touch "$root$stamp"
fi

[ $# = 0 ] || inside env --chdir=/nobg "$@"
